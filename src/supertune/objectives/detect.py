"""Boxes on pictures: hits, misses and false alarms, and from which score on a box is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import average_precision
from supertune.contracts import (
    Answers,
    Asked,
    ClassWeights,
    Detections,
    Examples,
    Finding,
    FloatArray,
    HeadSpec,
    Judged,
)
from supertune.contracts.detection import NUMBERS, unflattened
from supertune.errors import InputError
from supertune.objectives._boxes import SMALL, best_threshold, drawn, told
from supertune.objectives._refusals import own_weights, refuse_bounds, refuse_costs

FEW = 5  # boxes of a class, below which it can hardly be learned
ROWS_SHOWN = 60


class Detect:
    """See `supertune.contracts.Judge`."""

    name = "detect"
    summary = "boxes, each with a class"
    backbones = ("nanodet-g",)
    baselines = ("pretrained_classes",)
    tolerance = (
        0.0  # of few pictures nothing can be told, and a detector untuned knows no new class
    )
    decider: str | None = None
    rivals = (("pretrained_classes", "the detector as it was, its classes mapped by name"),)

    def tried(self, rows: str) -> tuple[str, ...]:
        return ("pretrained_classes", "detection_head")

    def noticed(self, examples: Examples, folds: int) -> list[Finding]:
        """Classes with so few boxes that they can hardly be learned."""
        counts = _counts(examples)
        few = [f"{name} ({count})" for name, count in counts.items() if 0 < count < FEW]
        if not few:
            return []
        message = f"Few boxes to learn from: {', '.join(few[:10])}; draw at least {FEW} of each."
        return [Finding("few_boxes", message)]

    def row_weights(self, examples: Examples, classes: ClassWeights) -> FloatArray | None:
        said = "Classes of boxes are not weighted: average precision counts each class alike."
        return own_weights(examples, classes, said, allowed="no class weights")

    def costs(
        self, labels: Sequence[str], matrix: Sequence[Sequence[float]] | None
    ) -> FloatArray | None:
        refuse_costs(
            matrix,
            "A wrong box has no cost of its own.",
            allowed="a metric: map, map50, map75 or ar",
        )
        return None

    def unknowing(self, examples: Examples) -> FloatArray:
        """(n, 6): nothing is found."""
        return np.full((len(examples), NUMBERS), -1.0)

    def breakdown(
        self, judged: Judged, *, seed: int, costs: FloatArray | None, shown: bool
    ) -> dict[str, Any]:
        """``detection``: a class's boxes, average precision and recall, and at the threshold that
        serves best over all pictures its hits, misses and false alarms; and pictures, ``drawn``."""
        answers, targets = unflattened(_first(judged)), _targets(judged.examples)
        matched = average_precision.matched(answers, targets)
        threshold = best_threshold([matched])
        scored = average_precision.of_matched(matched, len(answers))
        found = told(matched, answers, targets, threshold)
        classes = []
        for place, name in enumerate(judged.examples.labels):
            boxes = int((targets[..., 4] == place).sum())
            score = scored.get(place)
            misses = int((found.misses & (targets[..., 4] == place)).sum())
            classes.append(
                {
                    "label": name,
                    "boxes": boxes,
                    "map": None if score is None else float(score.precision[0].mean()),
                    "map50": None if score is None else float(score.precision[0, 0]),
                    "recall": None if score is None else float(score.recall[0].mean()),
                    "hits": boxes - misses,
                    "misses": misses,
                    "false_alarms": int((found.alarms & (answers[..., 5] == place)).sum()),
                }
            )
        pictures = drawn(judged.examples, answers, targets, found) if shown else []
        return {"detection": {"threshold": threshold, "classes": classes, "drawn": pictures}}

    def doubt(self, answers: FloatArray, head: HeadSpec) -> FloatArray:
        """How near the boxes' scores are to neither, on average over those that might be."""
        boxes = unflattened(answers)
        there = (boxes[..., 5] >= 0) & (boxes[..., 4] >= SMALL / 3)
        each = np.where(there, 1 - np.abs(2 * boxes[..., 4] - 1), 0.0).sum(axis=1)
        return np.asarray(each / np.maximum(there.sum(axis=1), 1))

    def rows_to_look_at(
        self, examples: Examples, answers: FloatArray, shown: bool
    ) -> tuple[list[dict[str, Any]], list[Finding]]:
        """Pictures with the most boxes that were missed or found where none is."""
        boxes, targets = unflattened(answers[0]), _targets(examples)
        if not shown:
            return [], []
        matched = average_precision.matched(boxes, targets)
        wrong = told(matched, boxes, targets, best_threshold([matched])).counts()
        order = sorted(range(len(wrong)), key=lambda i: (-sum(wrong[i][1:]), examples.rows[i]))
        rows = [
            {
                "row": int(examples.rows[i]),
                "text": str(examples.inputs[i]),
                "label": f"{wrong[i][0] + wrong[i][1]} boxes",
                "predicted": "{} found, {} missed, {} false alarms".format(*wrong[i]),
                "why": "most misses and false alarms",
            }
            for i in order[:ROWS_SHOWN]
            if sum(wrong[i][1:])
        ]
        return rows, []

    def answers_given(self, examples: Examples) -> dict[str, Any]:
        counts = _counts(examples)
        return {"labels": [{"name": name, "rows": count} for name, count in counts.items()]}

    def calibration(
        self, answers: FloatArray, examples: Examples, costs: FloatArray | None
    ) -> dict[str, npt.NDArray[Any]]:
        """``threshold``: from which score on boxes are shown, by the answers out of fold."""
        targets = _targets(examples)
        repeats = [average_precision.matched(unflattened(one), targets) for one in answers]
        return {"threshold": np.array([best_threshold(repeats)])}

    def check(self, asked: Asked) -> None:
        said = "Leave it out; each box comes with its score."
        refuse_bounds(asked, "Boxes", allowed="the score of each box", next=said)

    def bounded(
        self,
        answers: Answers,
        calibration: Mapping[str, npt.NDArray[Any]],
        asked: Asked,
    ) -> Answers:
        self.check(asked)
        if "threshold" not in calibration:
            return answers
        assert isinstance(answers, Detections)
        return replace(answers, threshold=float(calibration["threshold"][0]))

    def array(self, answers: Answers, head: HeadSpec) -> npt.NDArray[Any]:
        """(n,) lists of boxes, each a dictionary with label, score and box."""
        assert isinstance(answers, Detections)
        found = np.empty(len(answers), dtype=object)
        for row, boxes in enumerate(answers.found()):
            found[row] = boxes
        return found

    def table(self, answers: Answers) -> FloatArray:
        raise InputError(
            "no_probabilities",
            "Boxes have scores and no probabilities of classes.",
            received="predict_proba",
            allowed="predict, or predictions",
            next="Call model.predict(pictures): each box has its score.",
        )


OBJECTIVE = Detect()


def _counts(examples: Examples) -> dict[str, int]:
    named = _targets(examples)[..., 4]
    return {name: int((named == place).sum()) for place, name in enumerate(examples.labels)}


def _targets(examples: Examples) -> FloatArray:
    assert examples.targets is not None
    return examples.targets


def _first(judged: Judged) -> FloatArray:
    return judged.answers if judged.on_test else judged.answers[0]
