"""What is where on a picture: boxes, each with a class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import average_precision, metrics
from supertune.contracts import (
    Columns,
    Detections,
    Examples,
    Finding,
    FloatArray,
    HeadSpec,
    Input,
    Objective,
    Reading,
)
from supertune.contracts.detection import boxes_allowed, unflattened
from supertune.data.boxes import examples as rows
from supertune.data.boxes import formats
from supertune.data.boxes.annotated import Annotated, Annotations
from supertune.data.boxes.sizes import upright
from supertune.data.table import Table

_SAMPLES = 3


class ObjectDetection:
    """See `supertune.contracts.Task`."""

    name = "object_detection"
    summary = "boxes around things on a picture, each with a class"
    objective: Objective = "detect"
    modalities = ("image",)
    metrics: Mapping[str, bool] = metrics.DETECTION
    predicted_by = "supertune detect {model} NEW --draw drawn"
    default_metric = "map"

    def recognised(self, source: Any) -> str | None:
        """See `supertune.contracts.Recognising`."""
        return formats.recognised(source)

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        """Pictures with boxes to learn from and, where there are any, to judge by.

        Args:
            source: whatever `supertune.data.boxes.formats.read` takes.
            columns: of no use; boxes have a format of their own.
            test: another source, to judge by; else what the source itself holds apart.
            labels: those of a model that exists. The pictures are then judged, not learned from.
            new_labels: the boxes may be of other classes too, which come behind ``labels``.

        Raises:
            InputError: what is wrong with the source, its pictures or its boxes.
        """
        found = formats.read(source)
        if labels is not None:
            wanted = labels + _others(found, labels) if new_labels else labels
            chosen = found.pictures if new_labels else found.held_out or found.pictures
            return _reading(found, chosen, None, wanted)
        other = found if test is None else formats.read(test)
        held = found.held_out if test is None else other.held_out or other.pictures
        return _reading(found, found.pictures, (other, held) if held else None, None)

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of pictures, with boxes or without."""
        found = formats.pictures_only(source)
        pictures = list(formats.read(source).pictures) if found is None else found
        name = str(getattr(source, "name", source)).rsplit("/", 1)[-1]
        for start in range(0, len(pictures), window):
            part = pictures[start : start + window]
            inputs = rows.opened(part, name)
            numbers = np.arange(start + 1, start + 1 + len(part))
            yield Table({"file": [one.name for one in part]}, numbers, name, ()), inputs

    def head(self, examples: Examples) -> HeadSpec:
        assert examples.targets is not None
        return HeadSpec(len(examples.labels), boxes=boxes_allowed(examples.targets))

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Detections:
        """(n, 6 K) numbers are the boxes themselves."""
        return Detections(unflattened(np.array(logits, dtype=np.float64)), labels)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        return average_precision.scores(unflattened(answers), targets, weights)


TASK = ObjectDetection()


def _reading(
    found: Annotations,
    pictures: Sequence[Annotated],
    test: tuple[Annotations, Sequence[Annotated]] | None,
    labels: tuple[str, ...] | None,
) -> Reading:
    train, findings = rows.examples(found, pictures, upright, labels)
    held = None
    if test is not None:
        held, said = rows.examples(*test, upright, train.labels)
        findings = [*findings, *said, *_seen(train, held)]
    boxes = sum(len(one.boxes) for one in pictures)
    guess = f"{found.kind}: {len(pictures)} pictures, {boxes} boxes, {len(train.labels)} classes"
    samples = tuple({"file": one.name, "boxes": f"{len(one.boxes)}"} for one in pictures[:_SAMPLES])
    noticed = (*found.findings, *findings)
    return Reading(train, held, Columns(picture="file"), (guess,), samples, noticed, found.source)


def _others(found: Annotations, labels: tuple[str, ...]) -> tuple[str, ...]:
    names = {box.label for one in found.pictures for box in one.boxes}
    return tuple(sorted(names - set(labels)))


def _seen(train: Examples, test: Examples) -> list[Finding]:
    """Pictures that are to be learned from and to be judged by."""
    known = set(train.inputs)
    both = [int(row) for row, value in zip(test.rows, test.inputs, strict=True) if value in known]
    if not both:
        return []
    message = (
        f"{len(both)} test pictures are among those learned from, so the score is too good: "
        "take them out of one of the two."
    )
    return [Finding("test_rows_seen", message, tuple(both))]
