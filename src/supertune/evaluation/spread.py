"""How far a cross-validated score may lie from that of the model that is kept.

Two things move it: which rows were labelled, and what a model made of them. The first is the
jackknife over rows, or over whole groups of rows (Tukey 1958). Of losses and values it is
multiplied by k / (k - 1), as Nadeau and Bengio (2003) do for k folds repeated without end. The
second shows in the repeats of cross-validation, whose models learned from other parts of the same
rows. Their variance is too small, since all of them share these rows: the delete-d jackknife (Shao
and Wu 1989) multiplies such a variance by k - 1 for models that left out 1 / k of the rows, which
is 4 for 5 folds. How much of it is right was measured (`benchmarks/study_coverage.py`): 4 times for
losses and values, 1 times for a share of right answers, where an answer near the threshold flips
between repeats though the model hardly moved, and 2 times for an average over labels. With a
single repeat nothing shows the second part: the first gets the factor k / (k - 1) for a share, and
2 for losses and values, measured too.

Shapes: R repeats, n rows, C labels, B weightings, U units (rows or groups), M metrics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray
from supertune.evaluation.resampling import RESAMPLES, Sampling, Score

REPEATS_OF_LOSS, REPEATS_OF_RATE, REPEATS_OF_AVERAGE = 4.0, 1.0, 2.0
SINGLE_LOSS = 2.0
AVERAGES = ("macro_", "balanced_")
RARE = 4  # rows of a label; with fewer, averages over labels come out too low by no one knows what

FOLDS = 5  # where it is not told how many there were
_LEVEL = 0.975
_MOST_EXPONENT = 50.0


@dataclass(frozen=True, eq=False)
class Spread:
    """Scores with their two variances, (M,) each; ``repeated`` tells whether the second was
    seen, ``folds`` is k, ``units`` how many independent rows there are."""

    value: FloatArray
    rows: FloatArray
    repeats: FloatArray
    repeated: bool
    folds: int
    units: float

    def parts(self, place: int, metric: str, *, rate: bool) -> tuple[float, float]:
        """Variances of score number ``place`` around that of the model fitted on all rows: of
        the rows, and of what a model made of them."""
        rows, repeats = float(self.rows[place]), float(self.repeats[place])
        widened = self.folds / (self.folds - 1)
        if not self.repeated:
            return rows * (widened if rate else max(SINGLE_LOSS, widened)), 0.0
        if not rate:
            return rows * widened, REPEATS_OF_LOSS * repeats
        average = metric.startswith(AVERAGES)
        return rows, (REPEATS_OF_AVERAGE if average else REPEATS_OF_RATE) * repeats

    @property
    def worth(self) -> float:
        """Share of the rows that a perfect score counts as."""
        return 1.0 if self.repeated else (self.folds - 1) / self.folds


def spread(
    values: Callable[[FloatArray], FloatArray], sampling: Sampling, folds: int | None
) -> Spread:
    """The two variances of scores that ``values`` gives: weightings (B, n) -> (R, B, M)."""
    whole = values(sampling.weighted(np.ones((1, sampling.n))))[:, 0]
    left = np.concatenate([values(part).mean(axis=0) for part in _one_left_out(sampling)])
    count = len(left)
    known: npt.NDArray[np.bool_] = np.isfinite(left)
    off = np.where(known, left - _mean(left, known), 0.0)
    rows = (count - 1) / count * (off**2).sum(axis=0)
    repeats = whole.var(axis=0, ddof=1) if len(whole) > 1 else np.zeros(whole.shape[1])
    seen = np.isfinite(whole)
    k = FOLDS if folds is None else folds
    # Leaving out one row at a time, every repeat is the same, and tells nothing.
    repeated = len(whole) > 1 and not (folds is not None and folds >= count)
    return Spread(
        _mean(whole, seen),
        rows,
        np.where(seen.all(axis=0), repeats, 0.0),
        repeated,
        k,
        sampling.units,
    )


def scored(
    score: Score, repeats: FloatArray, targets: npt.NDArray[Any], metrics: Sequence[str]
) -> Callable[[FloatArray], FloatArray]:
    """``values`` for `spread`: the metrics of answers (R, n, C)."""

    def values(weights: FloatArray) -> FloatArray:
        found = [score(one, targets, weights) for one in repeats]
        return np.stack([np.stack([one[name] for name in metrics], axis=1) for one in found])

    return values


def student(freedom: float, level: float = _LEVEL) -> float:
    """The 97.5 % point of Student's t (1908), or another, with at least one degree of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(max(1.0, freedom), level))


def too_rare(metric: str, targets: npt.NDArray[Any]) -> bool:
    """Whether ``metric`` averages over labels of which one has fewer than `RARE` rows: of two rows
    a fold leaves one to learn from, so that such an average is too low."""
    if not metric.startswith(AVERAGES) or targets.dtype.kind == "f":
        return False
    counts = targets.sum(axis=0) if targets.ndim == 2 else np.bincount(targets)
    return bool((counts[counts > 0] < RARE).any())


def plain(value: float, variance: float, units: float) -> tuple[float, float]:
    """value ± t · standard error, t with ``units`` - 1 degrees of freedom."""
    half = student(units - 1) * math.sqrt(variance)
    return value - half, value + half


def of_loss(value: float, variance: float, units: float) -> tuple[float, float]:
    """As `plain` on the log of a loss: few rows seldom hold the rare large ones, so that the
    truth is further above than below."""
    if value <= 0:
        return plain(value, variance, units)
    step = student(units - 1) * math.sqrt(variance) / value
    factor = math.exp(min(step, _MOST_EXPONENT))
    return value / factor, value * factor


def of_rate(
    value: float, rows: float, models: float, own: float, units: float
) -> tuple[float, float]:
    """Interval of a share from its two variances, ``rows`` and ``models``.

    For the rows it is a score interval (Wilson 1927) at the number of rows that would vary as
    much, with t of ``units`` - 1 degrees of freedom for the normal quantile: at ``own``
    independent rows at most, since perfect answers vary by nothing and prove nothing. What a
    model made of them is added end by end, as the root of a sum of squares (Newcombe 1998).
    """
    alone, quantile = max(0.0, value * (1 - value)), student(units - 1)
    worth = min(own, alone / rows) if alone > 1e-9 and rows > 0 else own
    if worth <= 0:
        return 0.0, 1.0
    widening = quantile**2 / worth
    middle = (value + widening / 2) / (1 + widening)
    half = math.sqrt(alone * widening + widening**2 / 4) / (1 + widening)
    more = quantile * math.sqrt(models)
    low = value - math.hypot(value - (middle - half), more)
    high = value + math.hypot(middle + half - value, more)
    return max(0.0, low), min(1.0, high)


def _one_left_out(sampling: Sampling) -> Iterator[FloatArray]:
    """Blocks (b, n) of weightings, each without one unit; of very many rows, without one of
    `RESAMPLES` parts drawn at random."""
    unit = np.arange(sampling.n)
    if sampling.groups is not None:
        unit = np.unique(sampling.groups, return_inverse=True)[1]
    count = int(unit.max()) + 1
    if count > RESAMPLES:
        shuffled = np.random.default_rng(sampling.seed).permutation(count)
        unit, count = shuffled[unit] % RESAMPLES, RESAMPLES
    block = max(32, (1 << 20) // sampling.n)
    for start in range(0, count, block):
        left = np.arange(start, min(start + block, count))
        yield sampling.weighted((unit[None] != left[:, None]).astype(np.float64))


def _mean(values: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    """(M,) means over the first axis of what is known; 0 where nothing is."""
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1))
