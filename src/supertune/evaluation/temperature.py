"""Probabilities made to mean what they say: one temperature, fitted on out-of-fold answers.

Dividing all scores by one number changes how sure a model claims to be and not what it answers
(Platt 1999 with one parameter; Guo, Pleiss, Sun and Weinberger 2017, temperature scaling). Whether
it helps is judged by temperatures that the judged rows had no part in: those of a fold are scored
under the temperature of the other folds. Where the log loss does not fall by a standard error of
the rows, the probabilities are left as they are.

Shapes: R repeats, n rows, C labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray

TEMPERATURES = np.geomspace(1 / 16, 16.0, 65)  # the middle one is 1
LEAST, MOST = 1e-300, 1 - 1e-16  # probabilities whose logarithm is finite

Folds = Sequence[Sequence[tuple[IntArray, IntArray]]]


@dataclass(frozen=True)
class Scaling:
    """What a temperature does to the answers of models to rows that they had not seen.

    Attributes:
        temperature: what scores are divided by; 1 where that would not help.
        fitted: the temperature of the least log loss, used or not.
        before, after: log loss without it, and with the temperatures of other folds.
        error: the standard error of the difference over the rows.
    """

    temperature: float
    fitted: float
    before: float
    after: float
    error: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def scores_of(probabilities: FloatArray, multi_label: bool) -> FloatArray:
    """Scores whose softmax or, of several labels, sigmoid the probabilities are."""
    chances = np.clip(np.asarray(probabilities, dtype=np.float64), LEAST, MOST)
    found = np.log(chances) - np.log1p(-chances) if multi_label else np.log(chances)
    return np.asarray(found)


def scaled(probabilities: FloatArray, temperature: float, multi_label: bool) -> FloatArray:
    """The probabilities of scores divided by ``temperature``; shapes (..., C)."""
    scores = scores_of(probabilities, multi_label) / temperature
    if multi_label:
        small = np.exp(-np.abs(scores))
        return np.asarray(np.where(scores >= 0, 1 / (1 + small), small / (1 + small)))
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def losses(
    probabilities: FloatArray,
    targets: npt.NDArray[Any],
    temperatures: FloatArray,
    doubt: float = 0.0,
) -> FloatArray:
    """(T, R, n) log loss of each row under each temperature; of several labels the mean of C.
    ``doubt`` is the share of a row's label that is spread over all of them."""
    scores = scores_of(probabilities, targets.ndim == 2)
    found = np.empty((len(temperatures), *scores.shape[:2]))
    for place, temperature in enumerate(temperatures):
        logits = scores / temperature
        if targets.ndim == 2:
            wanted = (1.0 - doubt) * targets + 0.5 * doubt
            found[place] = (np.logaddexp(0.0, logits) - wanted * logits).mean(axis=2)
            continue
        top = logits.max(axis=2, keepdims=True)
        norm = np.log(np.exp(logits - top).sum(axis=2)) + top[..., 0]
        own = logits[:, np.arange(len(targets)), targets]
        found[place] = norm - (1.0 - doubt) * own - doubt * logits.mean(axis=2)
    return found


def calibrated(
    probabilities: FloatArray,
    targets: npt.NDArray[Any],
    folds: Folds,
    weights: FloatArray | None = None,
) -> tuple[Scaling, FloatArray]:
    """The temperature of out-of-fold answers (R, n, C), if one helps, and the answers under it.

    Each fold's answers are scaled by the temperature of the other folds, so that what is scored
    of them afterwards is not flattered. ``folds`` hold (train, test) rows of the R repeats.
    """
    several = targets.ndim == 2
    share = np.ones(len(targets)) if weights is None else np.asarray(weights, dtype=np.float64)
    by_row = losses(probabilities, targets, TEMPERATURES)
    # One imaginary row that is undecided: a few rows told apart perfectly would ask for certainty.
    doubted = losses(probabilities, targets, TEMPERATURES, 1.0 / (1 + len(targets)))
    total = (doubted * share).sum(axis=(1, 2))
    chosen = np.empty(probabilities.shape[:2], dtype=np.int64)
    for repeat, parts in enumerate(folds):
        whole = (doubted[:, repeat] * share).sum(axis=1)
        for _, test in parts:
            left_out = (doubted[:, repeat, test] * share[test]).sum(axis=1)
            chosen[repeat, test] = int(np.argmin(whole - left_out))
    plain = by_row[len(TEMPERATURES) // 2]
    crossed = np.take_along_axis(by_row, chosen[None], axis=0)[0]
    gain = (plain - crossed).mean(axis=0)  # (n,): repeats answer the same rows
    error = float(gain.std() / np.sqrt(len(gain)))
    fitted = float(TEMPERATURES[np.argmin(total)])
    before, after = (
        float(np.average(each.mean(axis=0), weights=share)) for each in (plain, crossed)
    )
    helps = before - after > error
    scaling = Scaling(fitted if helps else 1.0, fitted, before, after, error)
    if not helps:
        return scaling, probabilities
    found = np.empty_like(probabilities, dtype=np.float64)
    for place in np.unique(chosen):
        mine = chosen == place
        found[mine] = scaled(probabilities[mine], float(TEMPERATURES[place]), several)
    return scaling, found
