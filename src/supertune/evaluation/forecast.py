"""What more labels would buy: a learning curve continued beyond the rows that are there.

An error falls with m rows of C answers as E · (a + (1 - a) · (1 + m / (t · C)) ** -c): an inverse
power law (Figueroa et al. 2012; Viering and Loog 2022) that starts at E, the error of what learns
only how often each answer occurs, and ends at the share a of it. A few dozen rows cannot tell
these numbers, so they have a prior, learnt from other data sets; what the rows say re-weights
draws from it, and ranges are read off the re-weighted draws.

Shapes: D draws of a curve, J observed sizes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from supertune.contracts import FloatArray
from supertune.evaluation.learning_curve import Observed
from supertune.metrics import RATES

MORE = (10, 20, 50, 100)  # labels
COVERAGE = 0.8
DRAWS = 4000
ROUNDS = 3
FREEDOM = 5.0  # of Student's t: other data sets may be unlike those that the prior has seen
FLAT_ROWS, FLAT_GAIN = 100, 0.01  # flat: so many more labels bring less than a point
FURTHEST = 5000  # rows up to which a curve is continued to find where it flattens
A_LABEL = 4  # rows, from which a point of the curve is used
ROUGHNESS = 0.01  # of the error E: how far true curves are from the family


@dataclass(frozen=True, eq=False)
class Prior:
    """Of (logit a, log t, log c, log of E over the error it is taken for): mean (4,), covariance
    (4, 4). ``noise`` multiplies the covariance of observed errors, which a bootstrap over rows
    gives too small, since no model is fitted anew."""

    mean: FloatArray
    covariance: FloatArray
    noise: float = 2.0


PRIOR = Prior(
    np.array([-1.563, 2.39, 0.305, -0.018]),
    np.array(
        [
            [2.0866, 1.2209, 0.5324, 0.0488],
            [1.2209, 1.8114, 0.7163, 0.0215],
            [0.5324, 0.7163, 0.591, -0.0071],
            [0.0488, 0.0215, -0.0071, 0.0307],
        ]
    ),
)
"""As `python -m benchmarks.study_curves` found it."""


@dataclass(frozen=True)
class Range:
    """A value, and where it lies in 80 of 100 cases."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Step:
    """``more`` labels: what they add to the metric (positive is better), and the metric then."""

    more: int
    gain: Range
    score: Range


@dataclass(frozen=True)
class Forecast:
    """Attributes:
    rows: labelled rows that there are.
    now: the metric of a model of all of them.
    steps: what more of them would buy.
    flat: rows beyond which 100 more bring less than a point; None: more than `FURTHEST`.
    flat_now: whether that is so already.
    """

    metric: str
    rows: int
    now: Range
    steps: tuple[Step, ...]
    flat: Range | None
    flat_now: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def errors(parameters: FloatArray, rows: FloatArray, base: float, outputs: int) -> FloatArray:
    """(D, J) errors of curves (D, 4) at numbers of rows (J,)."""
    logit, log_t, log_c, log_e = np.asarray(parameters).T[..., None]
    share = 1 / (1 + np.exp(-logit))
    fall = np.exp(-np.exp(log_c) * np.log1p(rows / (np.exp(log_t) * outputs)))
    return np.asarray(base * np.exp(log_e) * (share + (1 - share) * fall))


def forecast(
    seen: Observed,
    metric: str,
    larger: bool,
    *,
    more: tuple[int, ...] = MORE,
    prior: Prior = PRIOR,
    seed: int = 0,
) -> Forecast:
    """The curve continued. ``larger``: more of the metric is better."""
    curves, weights = posterior(seen, prior, seed)

    def at(rows: FloatArray) -> FloatArray:
        return errors(curves, rows, seen.base, seen.outputs)

    ahead = at(np.array([seen.rows, *(seen.rows + each for each in more)], dtype=float))
    scores = 1.0 - ahead if larger else ahead
    steps = tuple(
        Step(each, ranged(ahead[:, 0] - ahead[:, 1 + place], weights),
             ranged(scores[:, 1 + place], weights))
        for place, each in enumerate(more)
    )  # fmt: skip
    flat, flat_now = _flattens(at, seen, weights, 1.0 if metric in RATES else seen.base)
    return Forecast(metric, seen.rows, ranged(scores[:, 0], weights), steps, flat, flat_now)


def posterior(seen: Observed, prior: Prior, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Curves (D, 4) and their weights (D,), by importance sampling whose proposal is moved to
    where the weight is (Cappé et al. 2004)."""
    rng = np.random.default_rng(seed)
    mean, covariance = prior.mean, prior.covariance
    seen = _whole(seen)
    rough = (ROUGHNESS * seen.base) ** 2 * np.eye(len(seen.sizes))
    precision = np.linalg.inv(prior.noise * seen.covariance + rough)
    curves: FloatArray = np.empty((0, 4))
    weights: FloatArray = np.empty(0)
    for _ in range(ROUNDS):
        curves = _students(rng, mean, covariance)
        off = errors(curves, seen.sizes, seen.base, seen.outputs) - seen.errors
        logs = -0.5 * np.einsum("dj,jk,dk->d", off, precision, off)
        logs += _log_student(curves, prior.mean, prior.covariance)
        logs -= _log_student(curves, mean, covariance)
        weights = np.exp(logs - logs.max())
        weights /= weights.sum()
        mean = weights @ curves
        spread = (curves - mean) * np.sqrt(weights)[:, None]
        # Somewhat wider than what was found, and never without any width.
        covariance = 1.5 * spread.T @ spread + 1e-3 * prior.covariance
    return curves, weights


def _whole(seen: Observed) -> Observed:
    """Without sizes of few rows a label, the largest always kept: a sub-sample that small lacks or
    doubles labels by chance, while a person who labels so few sees to it that it does not."""
    kept = seen.sizes >= A_LABEL * seen.outputs
    kept[-1] = True
    errors, covariance = seen.errors[kept], seen.covariance[np.ix_(kept, kept)]
    return replace(seen, sizes=seen.sizes[kept], errors=errors, covariance=covariance)


def ranged(values: FloatArray, weights: FloatArray) -> Range:
    """Weighted median, and the ends between which `COVERAGE` of the weight lies."""
    order = np.argsort(values)
    along = np.cumsum(weights[order]) - weights[order] / 2
    tail = (1 - COVERAGE) / 2
    low, middle, high = np.interp([tail, 0.5, 1 - tail], along, values[order])
    return Range(float(middle), float(low), float(high))


def _students(rng: np.random.Generator, mean: FloatArray, covariance: FloatArray) -> FloatArray:
    normal = rng.standard_normal((DRAWS, len(mean))) @ np.linalg.cholesky(covariance).T
    heavy = np.sqrt(FREEDOM / rng.chisquare(FREEDOM, size=DRAWS))
    return np.asarray(mean + normal * heavy[:, None])


def _log_student(curves: FloatArray, mean: FloatArray, covariance: FloatArray) -> FloatArray:
    off = curves - mean
    far = np.einsum("di,ij,dj->d", off, np.linalg.inv(covariance), off)
    half = (FREEDOM + len(mean)) / 2
    return np.asarray(-half * np.log1p(far / FREEDOM) - np.linalg.slogdet(covariance)[1] / 2)


def _flattens(
    at: Any, seen: Observed, weights: FloatArray, unit: float
) -> tuple[Range | None, bool]:
    """Rows beyond which `FLAT_ROWS` more gain less than `FLAT_GAIN` of ``unit``."""
    rows = np.unique(np.geomspace(max(1, seen.rows), max(FURTHEST, seen.rows), 60).round())
    little = at(rows) - at(rows + FLAT_ROWS) < FLAT_GAIN * unit
    first = np.where(little.any(axis=1), rows[little.argmax(axis=1)], 2 * FURTHEST)
    found = ranged(first.astype(np.float64), weights)
    if found.value <= seen.rows:
        return found, True
    return (found if found.value < FURTHEST else None), False
