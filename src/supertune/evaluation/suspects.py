"""Rows whose label looks wrong, by confident learning (Northcutt, Jiang and Chuang 2021).

A label's threshold is the mean probability that models, not having seen the row, give it on the
rows that carry it. A row is suspicious when it stays below its own label's threshold, while
another label reaches its threshold and is the one predicted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray
from supertune.evaluation.resampling import repeats_of

MOST = 0.25  # of the rows; where more look wrong it is the model that is


@dataclass(frozen=True)
class Suspect:
    """A row (an index into the examples) whose label ``given`` looks like ``suggested``.

    With several labels a row, ``given`` and ``suggested`` are the same label: it looks wrongly
    there, or wrongly missing. ``doubt`` is the suggested answer's probability minus the given
    one's, in (0, 1].
    """

    row: int
    given: int
    suggested: int
    doubt: float


def suspects(probabilities: FloatArray, targets: npt.NDArray[Any]) -> list[Suspect]:
    """The suspicious rows, most doubtful first; none where more than `MOST` of all rows are, since
    models that tell labels apart little better than chance doubt good labels.

    Args:
        probabilities: out-of-fold, (n, C), or (R, n, C) whose mean over repeats is taken.
        targets: (n,), or (n, C) zeros and ones when a row may have several labels.
    """
    chances = repeats_of(np.asarray(probabilities, dtype=np.float64)).mean(axis=0)
    given = np.asarray(targets)
    found = _single(chances, given) if given.ndim == 1 else _worst_of_each_row(chances, given)
    if len(found) > MOST * len(given):
        return []
    return sorted(found, key=lambda one: (-one.doubt, one.row))


def _worst_of_each_row(chances: FloatArray, given: npt.NDArray[Any]) -> list[Suspect]:
    """Each label is a yes/no question; a row stands with its most doubtful answer."""
    worst: dict[int, Suspect] = {}
    for label in range(chances.shape[1]):
        yes = chances[:, label]
        answers = np.column_stack([1.0 - yes, yes])
        for one in _single(answers, given[:, label].astype(np.int64)):
            if one.row not in worst or worst[one.row].doubt < one.doubt:
                worst[one.row] = Suspect(one.row, label, label, one.doubt)
    return list(worst.values())


def _single(chances: FloatArray, given: npt.NDArray[Any]) -> list[Suspect]:
    n, labels = chances.shape
    own = chances[np.arange(n), given]
    counts = np.bincount(given, minlength=labels)
    thresholds = np.bincount(given, weights=own, minlength=labels) / np.maximum(counts, 1)
    # A label that no row carries has no threshold to reach.
    thresholds = np.where(counts > 0, thresholds, np.inf)
    predicted = chances.argmax(axis=1)
    other = chances[np.arange(n), predicted]
    flagged = (predicted != given) & (own < thresholds[given]) & (other >= thresholds[predicted])
    flagged &= other > own
    return [
        Suspect(int(row), int(given[row]), int(predicted[row]), float(other[row] - own[row]))
        for row in np.flatnonzero(flagged)
    ]
