"""Trainable vectors that blocks of a decoder read beside the states of its encoder.

Prefix tuning of the attention from decoder to encoder (Li & Liang 2021, arXiv:2101.00190), each
block with vectors of its own in the states' place, before keys and values are made of them. They
take up no position of the decoder and are in its kept keys and values once a text is begun.

Bergamot's own attention takes such vectors itself, in its encoder too, where they stand beside what
each block attends to in the text.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from supertune.backbones.transformers.tuning.base import TunableModel
from supertune.contracts import Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

NOISE = 0.02  # standard deviation of vectors at first: keys near zero, which are hardly looked at


class DecoderPrompts(TunableModel):
    """Settings: ``tokens`` vectors a block."""

    apart = True

    def __init__(self, backbone: TransformersBackbone, injection: Injection, seed: int) -> None:
        super().__init__(backbone, injection, seed)
        every = [*backbone.blocks, *backbone.decoder_blocks]
        blocks = range(backbone.offer.depth, len(every))
        self._blocks = list(blocks if injection.blocks is None else injection.blocks)
        self._attention = {i: _attention(backbone, i, every[i]) for i in self._blocks}
        self._prompts: dict[int, Any] = {}

    def _put(self) -> None:
        import torch

        shape = int(self.injection.settings["tokens"]), self.backbone.offer.width
        for i, attention in self._attention.items():
            start = torch.randn(shape).to(self.backbone.device) * NOISE
            self._prompts[i] = torch.nn.Parameter(start)
            if hasattr(attention, "front"):
                attention.front = self._prompts[i]
            else:
                _put_before(attention, self._prompts[i])
        self._put_given()

    def _taken(self) -> None:
        self._prompts = {}

    def named(self) -> dict[str, Any]:
        return {f"decoder_prompts.{i}": prompt for i, prompt in self._prompts.items()}


def _put_before(attention: Any, prompt: Any) -> None:
    """The states (B, T, d) that it reads become (B, tokens + T, d)."""
    import torch

    def enter(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        states = kwargs["key_value_states"]
        front = prompt.to(states.dtype).expand(len(states), -1, -1)
        return args, kwargs | {"key_value_states": torch.cat([front, states], dim=1)}

    attention.register_forward_pre_hook(enter, with_kwargs=True)


def _attention(backbone: TransformersBackbone, number: int, block: Any) -> Any:
    """What of a block looks at the encoder, or at the text where that takes vectors itself.

    Raises:
        InputError: ``prompts_unsupported``.
    """
    found = getattr(block, "encoder_attn", getattr(block, "self_attn", None))
    if hasattr(found, "front"):
        return found
    found = getattr(block, "encoder_attn", None)
    if found is None or "key_value_states" not in inspect.signature(found.forward).parameters:
        raise InputError(
            "prompts_unsupported",
            f"Block {number} of {backbone.ref.name} does not look at an encoder.",
            received=f"blocks of which one is {number}",
            allowed=f"blocks of the decoder, {backbone.offer.depth} and up",
            next="Leave blocks out.",
        )
    return found
