"""The head of a detector learns new classes; what lies below is computed once a picture."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from supertune.contracts import Injection, Offer, Options


class DetectionHeadOptions(Options):
    """Keys of ``detection_head``."""

    ranges: ClassVar[dict[str, float]] = {"learning_rate": 5.0, "steps": 2.0}
    blocks: int = Field(
        0, ge=0, le=1000, description="how many blocks below the head are tuned too, from the top"
    )
    steps: int | None = Field(None, ge=1, le=100_000, description="none: as epochs say")
    epochs: int = Field(40, ge=1, le=10_000)
    learning_rate: float = Field(1e-3, gt=0, le=1)
    batch_size: int = Field(8, ge=1, le=1024)
    weight_decay: float = Field(0.01, ge=0)
    views: int = Field(
        4,
        ge=0,
        le=64,
        description="further views of each picture that are learned from: larger or smaller, "
        "moved, mirrored, lit otherwise; each is computed once",
    )
    from_above: bool = Field(
        False, description="pictures have no upright: views are turned by quarters too"
    )
    start: Literal["response", "name", "none"] = Field(
        "response",
        description="a new class begins as the known one that sees most in its boxes, as the one "
        "of its name alone, or as none",
    )
    tile: int | None = Field(
        None, ge=32, le=8192, description="cut larger pictures into parts of so many pixels a side"
    )
    overlap: float = Field(0.25, ge=0, lt=0.9, description="share that neighbouring parts share")


class DetectionHead:
    """See `supertune.contracts.GradientMethod`."""

    name = "detection_head"
    summary = "The head of a detector learns new classes, from a cache of what is below"
    reference = "Wang et al. 2020, arXiv:2003.06957; Feng et al. 2021, arXiv:2108.07755"
    needs = frozenset({"detect", "blocks", "torch"})
    objectives = frozenset({"detect"})
    simplicity = 21
    options: type[Options] = DetectionHeadOptions

    def injection(self, offer: Offer, options: DetectionHeadOptions) -> Injection:
        lowest = max(0, offer.depth - options.blocks)
        return Injection("unfreeze", tuple(range(lowest, offer.depth + 1)))

    def passes(self, options: DetectionHeadOptions, rows: int) -> float:
        """A view computed, and then so often forward and backward through what is tuned: measured
        as .7 of a whole pass for the head and .35 a block."""
        views = 1 + options.views
        seen: float = views * options.epochs
        if options.steps is not None:
            seen = options.steps * options.batch_size / max(1, rows)
        return views + seen * (0.7 + 0.35 * options.blocks)


METHOD = DetectionHead()
