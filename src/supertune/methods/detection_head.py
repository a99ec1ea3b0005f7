"""The head of a detector learns new classes; what lies below is computed once a picture."""

from __future__ import annotations

from pydantic import Field

from supertune.contracts import DetectionOptions, Injection, Offer, Options


class DetectionHeadOptions(DetectionOptions):
    """Keys of ``detection_head``."""

    blocks: int = Field(
        2, ge=0, le=1000, description="how many blocks below the head are tuned too, from the top"
    )


class DetectionHead:
    """See `supertune.contracts.GradientMethod`."""

    name = "detection_head"
    summary = "The head of a detector learns new classes, from a cache of what is below"
    reference = "Wang et al. 2020, arXiv:2003.06957; Feng et al. 2021, arXiv:2108.07755"
    needs = frozenset({"detect", "torch"})
    objectives = frozenset({"detect"})
    simplicity = 21
    options: type[Options] = DetectionHeadOptions

    def injection(self, offer: Offer, options: DetectionHeadOptions) -> Injection:
        lowest = max(0, offer.depth - options.blocks)
        return Injection("unfreeze", tuple(range(lowest, offer.depth + 1)))

    def passes(self, options: DetectionHeadOptions, rows: int) -> float:
        """Measured: .7 of a whole pass for the head and .35 a block."""
        return options.passes(rows, 0.7 + 0.35 * options.blocks)


METHOD = DetectionHead()
