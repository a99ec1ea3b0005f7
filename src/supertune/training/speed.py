"""How fast this machine runs transformer blocks, probed once and kept on disk.

The probe is a small stack of blocks made of what real ones are made of: matrix products,
attention, normalisation. It is run forward, and backward with frozen and with trained weights. What
it shows belongs to a processor, a device, a number of threads and a version of torch.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from supertune.catalogue.measured import remembered
from supertune.config import Recipe
from supertune.contracts import Offer

WIDTH, HEADS, BLOCKS = 384, 6, 2
ROWS, TOKENS = 4, 64  # of a batch, as features are read in
TRIES = 5

Pass = Literal["forward", "frozen", "trained"]


@dataclass(frozen=True)
class Speed:
    """Attributes:
    operations: a second, of a forward pass, counting 24 x width² for a token in a block.
    frozen, trained: seconds of a forward and a backward pass as a multiple of those of a
        forward pass, without and with gradients of the weights.
    block: seconds that a block takes however little there is in it.
    """

    operations: float
    frozen: float
    trained: float
    block: float


def operations(width: int, depth: int, tokens: float) -> float:
    """Of ``tokens`` through ``depth`` blocks of ``width``: a block has about 12 x width² weights,
    each of them multiplied and added once a token."""
    return 24.0 * width**2 * depth * tokens


@cache
def speed(
    device: str = "auto",
    threads: int | None = None,
    precision: str = "fp32",
    *,
    torch: bool = True,
) -> Speed:
    """Of this machine; measured in a second or two when nobody has measured it yet.

    Args:
        torch: by torch; else by matrix products of numpy, for backbones that another library runs.
    """
    count = str(threads or os.environ.get("OMP_NUM_THREADS") or "all")
    if not torch:
        name = f"products of numpy {np.__version__}, {count} threads"
        kept = remembered(name, lambda: asdict(by_products()))
        return Speed(**kept) if isinstance(kept, dict) else by_products()
    made = f"torch {metadata.version('torch')}"
    name = f"packed blocks in {precision} on {device}, {count} threads, {made}"
    kept = remembered(name, lambda: asdict(measured(device, threads, precision)))
    return Speed(**kept) if isinstance(kept, dict) else measured(device, threads, precision)


def speed_by(recipe: Recipe, *offers: Offer) -> Speed:
    """Of what reads rows through these; torch stays out where none of them is torch's."""
    torch = any("torch" in offer.capabilities for offer in offers)
    return speed(recipe.device, recipe.threads, recipe.precision, torch=torch)


def has_torch() -> bool:
    """Whether it is installed; it is not imported."""
    try:
        return find_spec("torch") is not None
    except ImportError:
        return False


def measured(device: str = "auto", threads: int | None = None, precision: str = "fp32") -> Speed:
    """The probe itself; ``"auto"`` is the precision that engines take where it is worth it.

    Raises:
        InputError: ``device_unavailable``.
    """
    import torch

    from supertune.backbones.transformers.loading import device as named
    from supertune.backbones.transformers.precision import computing, fast

    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        where = named(device)
        place = str(where)
        half = precision == "bf16" or (precision == "auto" and fast(where))
        least: dict[Pass, float] = {}
        with computing("bf16" if half else "fp32", where):
            for what in ("forward", "frozen", "trained"):
                least[what] = _least(_Blocks(place, ROWS, TOKENS, what), _clock())
            tiny = _least(_Blocks(place, 1, 2, "forward"), _clock()) / BLOCKS
    finally:
        torch.set_num_threads(before)
    whole = operations(WIDTH, BLOCKS, ROWS * TOKENS)
    forward = least["forward"]
    return Speed(
        whole / forward,
        max(1.0, least["frozen"] / forward),
        max(1.0, least["trained"] / forward),
        min(tiny, forward / BLOCKS),
    )


def by_products() -> Speed:
    """From the matrix products of blocks alone; what gradients take is what it usually is."""
    dice = np.random.default_rng(0)

    def seconds(tokens: int) -> float:
        given = dice.standard_normal((tokens, WIDTH), np.float32)
        weights = [
            dice.standard_normal((WIDTH, WIDTH), np.float32) for _ in range(12)
        ]  # of 12 width² a block

        def run() -> None:
            for weight in weights:
                given @ weight

        return _least(run, time.perf_counter)

    whole = seconds(ROWS * TOKENS)
    return Speed(operations(WIDTH, 1, ROWS * TOKENS) / whole, 2.0, 3.0, min(seconds(2), whole))


def _least(run: Callable[[], None], clock: Callable[[], float]) -> float:
    """Seconds of the quickest of some runs."""
    run()
    return min(_seconds(run, clock) for _ in range(TRIES))


def _clock() -> Callable[[], float]:
    """Of one thread its own processor time, so that other programs do not count; of several that
    would leave out how long they wait for one another."""
    import torch

    one = torch.get_num_threads() == 1 and not torch.cuda.is_initialized()
    return time.process_time if one else time.perf_counter


def _seconds(run: Callable[[], None], clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return max(clock() - start, 1e-9)


class _Blocks:
    """A run of a few blocks with random weights."""

    def __init__(self, device: str, rows: int, tokens: int, what: Pass) -> None:
        import torch

        dice = torch.Generator().manual_seed(0)

        def made(*shape: int) -> Any:
            return (torch.randn(*shape, generator=dice) * 0.02).to(device)

        shapes = [(3 * WIDTH, WIDTH), (WIDTH, WIDTH), (4 * WIDTH, WIDTH), (WIDTH, 4 * WIDTH)]
        self.weights = [[made(*shape) for shape in shapes] for _ in range(BLOCKS)]
        self.given = made(rows, tokens, WIDTH)
        self.what = what
        self.given.requires_grad_(what != "forward")
        for weight in (weight for block in self.weights for weight in block):
            weight.requires_grad_(what == "trained")

    def __call__(self) -> None:
        import torch

        if self.what == "forward":
            with torch.inference_mode():
                self.run()
        else:
            self.run().sum().backward()
        if self.given.device.type == "cuda":
            torch.cuda.synchronize()

    def run(self) -> Any:
        import torch
        import torch.nn.functional as f

        from supertune.backbones.transformers.group_attention import attention

        hidden = self.given
        rows, tokens, _ = hidden.shape
        real = torch.ones(rows, tokens, dtype=torch.bool, device=hidden.device)
        for mixed, joined, wide, narrow in self.weights:
            parts = f.linear(hidden, mixed).view(rows, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
            read = attention(*parts, real=real, causal=False, dropout=0.0, scale=None)
            read = f.linear(read.transpose(1, 2).reshape(rows, tokens, WIDTH), joined)
            hidden = f.layer_norm(hidden + read, (WIDTH,))
            inner = f.linear(f.gelu(f.linear(hidden, wide)), narrow)
            hidden = f.layer_norm(hidden + inner, (WIDTH,))
        return hidden
