"""Recipe keys of methods that tune a detector, which has a training loop of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, create_model

from supertune.contracts.method import GradientOptions, Method, Options

QUICK = 0.25  # what a pass through NanoDet takes, of what is estimated for a network of its size
LEAST_STEPS = 150


class DetectionOptions(Options):
    """Recipe keys of every method trained by a detector's own loss."""

    ranges: ClassVar[dict[str, float]] = {"learning_rate": 5.0, "epochs": 2.0}
    steps: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description=f"none: as epochs say, and {LEAST_STEPS} at least",
    )
    epochs: int = Field(3, ge=1, le=10_000, description="passes over all views")
    learning_rate: float = Field(1e-3, gt=0, le=1)
    batch_size: int = Field(4, ge=1, le=1024, description="views a step")
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
    tile: Literal["auto"] | Annotated[int, Field(ge=32, le=8192)] | None = Field(
        "auto",
        description="cut larger pictures into parts of so many pixels a side; auto: where the "
        "things to learn would be too small on the whole, and of pictures from above always, since "
        "there a pixel is a length on the ground",
    )
    overlap: float = Field(0.25, ge=0, lt=0.9, description="share that neighbouring parts share")

    def length(self, views: int) -> int:
        """Steps over so many views."""
        if self.steps is not None:
            return self.steps
        return max(LEAST_STEPS, -(-self.epochs * views // self.batch_size))

    def passes(self, rows: int, tuned: float) -> float:
        """What a fit takes, in passes of each row through the whole backbone: each view computed
        once, and then forward and backward through what is tuned, which takes ``tuned`` of a
        pass. Parts of large pictures are not known here and not counted."""
        views = 1 + self.views
        seen = self.length(rows * views) * self.batch_size / max(1, rows)
        return QUICK * (views + seen * tuned)


def options_of(method: Method, objective: str) -> type[Options]:
    """The keys that a method has where it serves an objective (`Method`): its own for it, where it
    names some. Those of `GradientOptions` speak of a loop that detectors are not trained by, and
    give way to `DetectionOptions`."""
    named: Mapping[str, type[Options]] = getattr(method, "options_for", {})
    if objective in named:
        return named[objective]
    if objective != "detect" or not issubclass(method.options, GradientOptions):
        return method.options
    return _for_detectors(method.options)


@cache
def _for_detectors(given: type[GradientOptions]) -> type[Options]:
    fields, usual = given.model_fields, GradientOptions.model_fields
    own: dict[str, Any] = {
        name: (field.annotation, field) for name, field in fields.items() if name not in usual
    }
    rate = fields["learning_rate"]
    if rate.default != usual["learning_rate"].default:
        own["learning_rate"] = (rate.annotation, rate)
    made = create_model(f"{given.__name__}OfDetectors", __base__=DetectionOptions, **own)
    searched = {name: factor for name, factor in given.ranges.items() if name in own}
    made.ranges = {**DetectionOptions.ranges, **searched}
    return made
