"""From noise to a picture, step by step: DDIM without noise of its own, and guidance.

Song et al. 2020, arXiv:2010.02502; Ho and Salimans 2022, arXiv:2207.12598.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from supertune import limits
from supertune.contracts import Sampling

if TYPE_CHECKING:
    from supertune.backbones.diffusers.model import DiffusionBackbone

PLACES, MOST = 8_192, 8  # of noisy pictures in a batch: eight of 32 x 32, two of 64 x 64


def latents(
    backbone: DiffusionBackbone,
    captions: Sequence[str],
    seeds: Sequence[int],
    how: Sampling,
    size: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Tensor]:
    """(c, h, w) each. Batches are all of one size, the last one filled up, so that the bits of a
    picture do not depend on those beside it.

    Args:
        size: pixels a side.
    """
    declared = backbone.declared
    edge = size // declared.shrinks
    at_once = min(MOST, max(1, PLACES // edge**2))
    states = {text: backbone.states([text])[0] for text in dict.fromkeys([*captions, how.negative])}
    found: list[Tensor] = []
    batches = -(-len(captions) // at_once)
    for number, start in enumerate(range(0, len(captions), at_once)):
        some, own = list(captions[start : start + at_once]), list(seeds[start : start + at_once])
        count = len(some)
        some += some[-1:] * (at_once - count)
        own += own[-1:] * (at_once - count)
        shape = (declared.channels, edge, edge)
        noise = torch.stack([_noise(seed, shape) for seed in own]).to(backbone.device)
        without = states[how.negative].expand(at_once, *states[how.negative].shape)
        wanted = torch.stack([states[text] for text in some])

        def told(step: int, base: int = number) -> None:
            limits.check()
            if progress is not None:
                progress(base * how.steps + step, batches * how.steps)

        found += list(_drawn(backbone, noise, wanted, without, how, told))[:count]
    return found


def _noise(seed: int, shape: Sequence[int]) -> Tensor:
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(int(seed)))


def _drawn(
    backbone: DiffusionBackbone,
    noise: Tensor,
    wanted: Tensor,
    without: Tensor,
    how: Sampling,
    told: Callable[[int], None],
) -> Tensor:
    scheduler: Any = type(backbone.scheduler).from_config(backbone.scheduler.config)
    scheduler.set_timesteps(how.steps, device=backbone.device)
    guidance = backbone.guidance if how.guidance is None else how.guidance
    guided = guidance != 1.0
    states = torch.cat([without, wanted]) if guided else wanted
    now: Tensor = noise * scheduler.init_noise_sigma
    for step, level in enumerate(scheduler.timesteps):
        twice = torch.cat([now, now]) if guided else now
        said = backbone.denoised(twice, level, states)
        if guided:
            free, bound = said.chunk(2)
            said = free + guidance * (bound - free)
        now = scheduler.step(said, level, now).prev_sample
        told(step + 1)
    return now
