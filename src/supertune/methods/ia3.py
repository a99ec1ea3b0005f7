"""IA3 through ``peft``: keys, values and feed-forward activations are rescaled, nothing more."""

from __future__ import annotations

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options
from supertune.methods._blocks import WHICH, BlockChoice, chosen_blocks


class Ia3Options(GradientOptions):
    """Keys of ``ia3``."""

    learning_rate: float = Field(1e-2, gt=0, le=1)
    blocks: BlockChoice = Field("upper", description=WHICH)


class Ia3:
    """See `supertune.contracts.GradientMethod`."""

    name = "ia3"
    summary = "One factor for each key, value and feed-forward number, through peft"
    reference = "Liu et al. 2022 (T-Few), arXiv:2205.05638"
    needs = frozenset({"blocks", "linears", "torch"})
    objectives = frozenset({"classify", "generate", "regress", "transcribe", "translate"})
    simplicity = 36
    options: type[Options] = Ia3Options

    def injection(self, offer: Offer, options: Ia3Options) -> Injection:
        return Injection("IA3", chosen_blocks(offer, options.blocks), {})


METHOD = Ia3()
