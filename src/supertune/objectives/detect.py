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
    IntArray,
    Judged,
)
from supertune.contracts.detection import NUMBERS, unflattened
from supertune.errors import InputError

FEW = 5  # boxes of a class, below which it can hardly be learned
SMALL = 0.3  # a threshold where nothing tells a better one
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
        """None: pictures count alike.

        Raises:
            InputError: ``no_class_weights``.
        """
        if classes is not None:
            raise InputError(
                "no_class_weights",
                "Classes of boxes are not weighted: average precision counts each class alike.",
                received="class_weights",
                allowed="no class weights",
                next="Leave class_weights out.",
            )
        return examples.weights

    def costs(
        self, labels: Sequence[str], matrix: Sequence[Sequence[float]] | None
    ) -> FloatArray | None:
        """None.

        Raises:
            InputError: ``no_costs``.
        """
        if matrix is not None:
            raise InputError(
                "no_costs",
                "A wrong box has no cost of its own.",
                received="cost_matrix",
                allowed="a metric: map, map50, map75 or ar",
                next="Leave cost_matrix out.",
            )
        return None

    def unknowing(self, examples: Examples) -> FloatArray:
        """(n, 6): nothing is found."""
        return np.full((len(examples), NUMBERS), -1.0)

    def breakdown(
        self, judged: Judged, *, seed: int, costs: FloatArray | None, shown: bool
    ) -> dict[str, Any]:
        """``detection``: a class's boxes, average precision and recall, and at the threshold that
        serves it best over all pictures its hits, misses and false alarms."""
        answers, targets = unflattened(_first(judged)), _targets(judged.examples)
        threshold = best_threshold([answers], targets)
        scored = average_precision.by_class(answers, targets)
        matched = average_precision.matched(answers, targets)
        classes = []
        for place, name in enumerate(judged.examples.labels):
            one = matched.get(place)
            hits, alarms = (
                (0, _alone(answers, place, threshold)) if one is None else _told(one, threshold)
            )
            boxes = 0 if one is None else int(one.truths.sum())
            classes.append(
                {
                    "label": name,
                    "boxes": boxes,
                    "map": None if one is None else float(scored[place].precision[0].mean()),
                    "map50": None if one is None else float(scored[place].precision[0, 0]),
                    "recall": None if one is None else float(scored[place].recall[0].mean()),
                    "hits": hits,
                    "misses": boxes - hits,
                    "false_alarms": alarms,
                }
            )
        return {"detection": {"threshold": threshold, "classes": classes}}

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
        threshold = best_threshold([boxes], targets)
        wrong = _wrong(boxes, targets, threshold)
        if not shown:
            return [], []
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

    def floor(self, examples: Examples) -> dict[str, Any]:
        return {}

    def from_floor(self, kept: Mapping[str, Any], rows: int) -> dict[str, FloatArray]:
        """Nothing is found: what a model knows without its backbone's own classes."""
        return {"pretrained_classes": np.full((rows, NUMBERS), -1.0)}

    def calibrated(
        self,
        answers: FloatArray,
        examples: Examples,
        folds: Sequence[Sequence[tuple[IntArray, IntArray]]],
    ) -> tuple[FloatArray, dict[str, Any]]:
        return answers, {}

    def calibration(
        self, answers: FloatArray, examples: Examples, costs: FloatArray | None
    ) -> dict[str, npt.NDArray[Any]]:
        """``threshold``: from which score on boxes are shown, by the answers out of fold."""
        found = best_threshold([unflattened(one) for one in answers], _targets(examples))
        return {"threshold": np.array([found])}

    def check(self, asked: Asked) -> None:
        for name, value in (("coverage", asked.coverage), ("max_error", asked.max_error)):
            if value is not None:
                code = "no_intervals" if name == "coverage" else "no_max_error"
                raise InputError(
                    code,
                    f"Boxes have no {name}.",
                    received=f"{name} {value:g}",
                    allowed="the score of each box",
                    next="Leave it out; each box comes with its score.",
                )

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

    def bounds(
        self,
        calibration: Mapping[str, npt.NDArray[Any]],
        judged: Judged,
        costs: FloatArray | None,
        asked: Asked,
    ) -> dict[str, Any]:
        return {}

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


def best_threshold(repeats: Sequence[FloatArray], targets: FloatArray) -> float:
    """The score from which on hits and misses balance best: the largest F1 over all classes at an
    IoU of .5, boxes (n, K, 6) of each repeat together."""
    scores, hits, truths = [], [], 0
    for boxes in repeats:
        for one in average_precision.matched(boxes, targets).values():
            scores.append(one.scores)
            hits.append(one.hits[0])
            truths += int(one.truths.sum())
    sure = np.concatenate([*scores, np.zeros(0)])
    hit = np.concatenate([*hits, np.zeros(0, dtype=bool)])
    if not hit.any():
        return SMALL
    order = np.argsort(-sure, kind="stable")
    right = hit[order].cumsum()
    f1 = 2 * right / (np.arange(1, len(right) + 1) + truths)
    best = int(f1.argmax())
    after = sure[order][best + 1] if best + 1 < len(sure) else 0.0
    return round(float((sure[order][best] + after) / 2), 4)


def _told(one: average_precision.Matching, threshold: float) -> tuple[int, int]:
    """Hits and false alarms from a threshold on."""
    shown = one.scores >= threshold
    hits = int((one.hits[0] & shown).sum())
    return hits, int(shown.sum()) - hits


def _alone(answers: FloatArray, place: int, threshold: float) -> int:
    return int(((answers[..., 5] == place) & (answers[..., 4] >= threshold)).sum())


def _wrong(
    answers: FloatArray, targets: FloatArray, threshold: float
) -> list[tuple[int, int, int]]:
    """Hits, misses and false alarms of each picture."""
    shown = (answers[..., 5] >= 0) & (answers[..., 4] >= threshold)
    hits = np.zeros(len(answers), dtype=int)
    for one in average_precision.matched(answers, targets).values():
        on = one.hits[0] & (one.scores >= threshold)
        hits += np.bincount(one.pictures[on], minlength=len(answers))
    true = (targets[..., 4] >= 0).sum(axis=1)
    rows = zip(
        hits.tolist(), (true - hits).tolist(), (shown.sum(axis=1) - hits).tolist(), strict=True
    )
    return list(rows)


def _counts(examples: Examples) -> dict[str, int]:
    named = _targets(examples)[..., 4]
    return {name: int((named == place).sum()) for place, name in enumerate(examples.labels)}


def _targets(examples: Examples) -> FloatArray:
    assert examples.targets is not None
    return examples.targets


def _first(judged: Judged) -> FloatArray:
    return judged.answers if judged.on_test else judged.answers[0]
