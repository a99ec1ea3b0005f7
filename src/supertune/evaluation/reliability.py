"""Does "80 % sure" mean right 8 times in 10? The table behind a reliability diagram.

The bins are those of the calibration error in `metrics` (Naeini et al. 2015).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray
from supertune.evaluation.intervals import wilson
from supertune.evaluation.resampling import repeats_of
from supertune.metrics import BINS, THRESHOLD, confidence_bin, decide


def bins(
    probabilities: FloatArray, targets: npt.NDArray[Any], costs: FloatArray | None = None
) -> list[dict[str, float]]:
    """Confidence and accuracy of the predictions in each tenth of [0, 1] that has any.

    Args:
        probabilities: (n, C), or (R, n, C) out of fold; repeats are pooled.
        targets: (n,), or (n, C) when a row may have several labels: then each label is a
            yes/no answer of its own, with confidence max(p, 1 - p).
        costs: (C, C) where they moved the decision.

    Returns:
        ``low`` and ``high`` (the bin's edges), ``rows`` (predictions in it, per repeat, at
        least 1), mean ``confidence``, ``accuracy``, and Wilson's 95 % interval of the latter as
        ``accuracy_low`` and ``accuracy_high``.
    """
    repeats = repeats_of(np.asarray(probabilities, dtype=np.float64))
    pairs = [_answers(one, np.asarray(targets), costs) for one in repeats]
    confidence = np.concatenate([pair[0] for pair in pairs])
    correct = np.concatenate([pair[1] for pair in pairs])
    where = confidence_bin(confidence)
    counts = np.bincount(where, minlength=BINS)
    sure = np.bincount(where, weights=confidence, minlength=BINS)
    right = np.bincount(where, weights=correct, minlength=BINS)
    table = []
    for index in np.flatnonzero(counts):
        count = int(counts[index])
        rows = max(1, round(count / len(repeats)))
        accuracy = float(right[index]) / count
        low, high = wilson(accuracy, rows)
        table.append(
            {
                "low": int(index) / BINS,
                "high": (int(index) + 1) / BINS,
                "rows": rows,
                "confidence": float(sure[index]) / count,
                "accuracy": accuracy,
                "accuracy_low": low,
                "accuracy_high": high,
            }
        )
    return table


def _answers(
    probabilities: FloatArray, targets: npt.NDArray[Any], costs: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Confidence and 1 where right, one number an answer."""
    if targets.ndim == 2:
        yes = probabilities >= THRESHOLD
        confidence = np.where(yes, probabilities, 1.0 - probabilities).ravel()
        return confidence, (yes == (targets > 0)).ravel().astype(np.float64)
    predicted = decide(probabilities, costs)
    confidence = probabilities[np.arange(len(targets)), predicted]
    return confidence, (predicted == targets).astype(np.float64)


def answered(
    probabilities: FloatArray, targets: npt.NDArray[Any], costs: FloatArray | None = None
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """(n,) confidence of each row's answer and whether it is right, from (n, C) probabilities.

    Of several labels a row, the answer is the whole set of them, with the product of the labels'
    confidences, as `supertune.contracts.Predictions` has it.
    """
    confidence, right = _answers(np.asarray(probabilities, dtype=np.float64), targets, costs)
    if targets.ndim == 2:
        confidence = confidence.reshape(targets.shape).prod(axis=1)
        right = right.reshape(targets.shape).min(axis=1)
    return confidence, right > 0
