"""Trainable vectors that each block of a decoder reads beside what its encoder heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options
from supertune.methods._blocks import WHICH, BlockChoice, chosen_blocks


class DecoderPromptsOptions(GradientOptions):
    """Keys of ``decoder_prompts``."""

    # Chosen on a draw that no study judges by; slower rates learn nothing there.
    rates: ClassVar[Mapping[str, float]] = {"translate": 0.1}
    tokens: int = Field(8, ge=1, le=256, description="trainable vectors of each block")
    learning_rate: float = Field(1e-2, gt=0, le=1)
    blocks: BlockChoice = Field("decoder", description=WHICH)


class DecoderPrompts:
    """See `supertune.contracts.GradientMethod`."""

    name = "decoder_prompts"
    summary = "Trainable vectors that blocks of a decoder read beside the encoder's states"
    reference = "Li & Liang 2021, arXiv:2101.00190"
    needs = frozenset({"decoder_prompts", "blocks", "torch"})
    objectives = frozenset({"transcribe", "translate"})
    simplicity = 30
    options: type[Options] = DecoderPromptsOptions

    def injection(self, offer: Offer, options: DecoderPromptsOptions) -> Injection:
        blocks = chosen_blocks(offer, options.blocks)
        return Injection("decoder_prompts", blocks, {"tokens": options.tokens})


METHOD = DecoderPrompts()
