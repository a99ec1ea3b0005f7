"""Only the normalisation layers are tuned: one factor, and mostly one offset, a number."""

from __future__ import annotations

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options
from supertune.methods._blocks import WHICH, BlockChoice, chosen_blocks


class LayerNormOptions(GradientOptions):
    """Keys of ``layernorm``."""

    learning_rate: float = Field(3e-3, gt=0, le=1)
    blocks: BlockChoice = Field("upper", description=WHICH)


class LayerNorm:
    """See `supertune.contracts.GradientMethod`."""

    name = "layernorm"
    summary = "Only the normalisation layers of the upper blocks are tuned"
    reference = "Qi et al. 2022; Zhao et al. 2023, arXiv:2312.11420"
    needs = frozenset({"blocks", "torch"})
    objectives = frozenset({"classify", "regress"})
    simplicity = 37
    options: type[Options] = LayerNormOptions

    def injection(self, offer: Offer, options: LayerNormOptions) -> Injection:
        return Injection("unfreeze", chosen_blocks(offer, options.blocks), {"only": "norms"})


METHOD = LayerNorm()
