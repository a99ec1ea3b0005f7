"""Full fine-tuning: every weight of the backbone and the head. The backbone itself is kept."""

from __future__ import annotations

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options


class FullOptions(GradientOptions):
    """Keys of ``full``."""

    learning_rate: float = Field(3e-5, gt=0, le=1)
    epochs: int = Field(8, ge=1, le=1000)


class Full:
    """See `supertune.contracts.GradientMethod`."""

    name = "full"
    summary = "Every weight is tuned; the slowest and largest, for comparison"
    reference = "Devlin et al. 2019; Kumar et al. 2022 (solve the head first)"
    needs = frozenset({"blocks", "torch"})
    objectives = frozenset({"classify", "detect", "regress", "translate"})
    simplicity = 60
    options: type[Options] = FullOptions

    def injection(self, offer: Offer, options: FullOptions) -> Injection:
        return Injection("unfreeze", None, {"only": "all"})


METHOD = Full()
