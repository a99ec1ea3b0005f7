"""What tasks share whose answer is one label, or several, whatever their rows are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import metrics
from supertune.contracts import Examples, FloatArray, HeadSpec, Objective, Predictions

METRICS: Mapping[str, bool] = {**metrics.CLASSIFICATION, **metrics.MULTI_LABEL}


class Classification:
    """The part of a `supertune.contracts.Task` that rows have no say in."""

    objective: Objective = "classify"
    metrics: Mapping[str, bool] = METRICS
    default_metric = "accuracy"

    def head(self, examples: Examples) -> HeadSpec:
        """One output a label."""
        return HeadSpec(len(examples.labels), examples.multi_label)

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Predictions:
        """(n, C) scores as answers: softmax and the likeliest label (with ``costs``, the
        cheapest); or sigmoid and all labels from 0.5 on, which may be none."""
        scores = np.ascontiguousarray(logits, dtype=np.float64)
        if head.multi_label:
            chances = _sigmoid(scores)
            on = chances >= metrics.THRESHOLD
            sets = tuple(
                tuple(name for name, is_on in zip(labels, row, strict=True) if is_on) for row in on
            )
            likely = np.where(on, chances, 1 - chances).prod(axis=1)
            return Predictions(sets, likely, chances, labels)
        chances = _softmax(scores)
        best = metrics.decide(chances, costs)
        confidence = chances[np.arange(len(chances)), best]
        return Predictions(tuple(labels[i] for i in best), confidence, chances, labels)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        """Every metric that the answers can be scored by; see `supertune.contracts.Task.score`."""
        if targets.ndim == 2:
            return metrics.multi_label(answers, targets, weights)
        return metrics.classification(answers, targets, weights, costs)


def _softmax(scores: FloatArray) -> FloatArray:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _sigmoid(scores: FloatArray) -> FloatArray:
    # Written so that no exponential overflows.
    small = np.exp(-np.abs(scores))
    return np.asarray(np.where(scores >= 0, 1 / (1 + small), small / (1 + small)))
