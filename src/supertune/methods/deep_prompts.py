"""Deep prompts on the upper blocks only: trainable vectors that each block reads and drops.

For pictures this is visual prompt tuning, deep; with ``depth=shallow`` its shallow form.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from supertune.contracts import Injection, Offer, Options
from supertune.methods._blocks import WHICH, BlockChoice, chosen_blocks
from supertune.methods._prompts import PromptOptions


class DeepPromptsOptions(PromptOptions):
    """Keys of ``deep_prompts``."""

    epochs: int = Field(30, ge=1, le=1000)
    learning_rate: float = Field(
        0.1,
        gt=0,
        le=1,
        description="lowered in proportion where what enters a block is smaller than in smollm2",
    )
    head_learning_rate: float | None = Field(
        1e-3,
        gt=0,
        le=1,
        description="of a linear head on features, which would be thrown far at the rate that "
        "prompts need",
    )
    depth: Literal["deep", "shallow"] = Field(
        "deep",
        description="vectors of its own for each block, or for the lowest alone, carried through "
        "the others",
    )
    blocks: BlockChoice = Field("upper", description=WHICH)


class DeepPrompts:
    """See `supertune.contracts.GradientMethod`."""

    name = "deep_prompts"
    summary = "Trainable vectors before the input at upper blocks: P-tuning v2, visual prompts"
    reference = "Liu et al. 2022, arXiv:2110.07602; Jia et al. 2022, arXiv:2203.12119"
    needs = frozenset({"block_prompts", "blocks", "torch"})
    objectives = frozenset({"classify", "regress"})
    simplicity = 33
    options: type[Options] = DeepPromptsOptions

    def injection(self, offer: Offer, options: DeepPromptsOptions) -> Injection:
        settings = {"tokens": options.tokens, **options.start()}
        if options.depth == "shallow":
            settings["depth"] = "shallow"
        return Injection("deep_prompts", chosen_blocks(offer, options.blocks), settings)


METHOD = DeepPrompts()
