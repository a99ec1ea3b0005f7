"""BitFit: only the biases are tuned."""

from __future__ import annotations

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options
from supertune.methods._blocks import WHICH, BlockChoice, chosen_blocks


class BitFitOptions(GradientOptions):
    """Keys of ``bitfit``."""

    blocks: BlockChoice = Field("upper", description=WHICH)


class BitFit:
    """See `supertune.contracts.GradientMethod`."""

    name = "bitfit"
    summary = "Only the biases of the upper blocks are tuned"
    reference = "Ben Zaken et al. 2022, arXiv:2106.10199"
    needs = frozenset({"biases", "blocks", "torch"})
    objectives = frozenset({"classify", "generate", "regress", "transcribe", "translate"})
    simplicity = 38
    options: type[Options] = BitFitOptions

    def injection(self, offer: Offer, options: BitFitOptions) -> Injection:
        return Injection("unfreeze", chosen_blocks(offer, options.blocks), {"only": "biases"})


METHOD = BitFit()
