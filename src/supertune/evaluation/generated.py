"""How good generated pictures are, judged by features that had no part in making them.

Shapes: n made pictures, m real ones, d features of each, from a backbone that was not tuned.
Before and after tuning, pictures are made by the same seeds, so that they are compared in pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray
from supertune.evaluation.intervals import clopper_pearson
from supertune.evaluation.resampling import quantiles

DRAWS = 1000


@dataclass(frozen=True)
class Measured:
    """A number with its 95 % interval, and of how many pictures it tells."""

    value: float
    low: float
    high: float
    pictures: int

    def as_dict(self) -> dict[str, float]:
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "pictures": self.pictures,
        }


def kernel_distance(made: FloatArray, real: FloatArray) -> float:
    """KID, unbiased: the squared maximum mean discrepancy of (n, d) and (m, d) under the kernel
    (x . y / d + 1) ** 3 (Binkowski et al. 2018, arXiv:1801.01401). About 0, or less, for pictures
    of one distribution."""
    return _discrepancy(_Kernels.of(made, real), None, None)


def closer(before: FloatArray, after: FloatArray, real: FloatArray, *, seed: int = 0) -> Measured:
    """How much lower `kernel_distance` is ``after`` than ``before`` (negative: nearer to what is
    real), both (n, d) by the same seeds; a bootstrap over seeds and over real pictures.

    A picture that is drawn twice isn't compared with itself: pairs of one picture are left out,
    as the unbiased estimate leaves out the diagonal.

    Raises:
        ValueError: for fewer than two pictures of a kind.
    """
    if min(len(before), len(real)) < 2:
        raise ValueError("one picture has no spread")
    kernels = _Kernels.of(before, real), _Kernels.of(after, real)
    rng = np.random.default_rng(seed)
    changes = np.empty(DRAWS)
    for draw in range(DRAWS):
        seeds, reals = _several(rng, len(before)), _several(rng, len(real))
        was, now = (_discrepancy(one, seeds, reals) for one in kernels)
        changes[draw] = now - was
    low, high = quantiles(changes)
    value = _discrepancy(kernels[1], None, None) - _discrepancy(kernels[0], None, None)
    return Measured(value, float(low), float(high), len(after))


def _several(rng: np.random.Generator, rows: int) -> npt.NDArray[np.intp]:
    """``rows`` of as many with replacement, two different ones at least."""
    while True:
        drawn = rng.integers(0, rows, rows)
        if drawn.min() < drawn.max():
            return drawn


def recognised(hits: npt.NDArray[np.bool_]) -> Measured:
    """The share of (n,) pictures that a classifier takes for what they should be; exact."""
    right = int(hits.sum())
    low, high = clopper_pearson(right, len(hits))
    return Measured(right / len(hits), low, high, len(hits))


def gained(
    before: npt.NDArray[np.bool_], after: npt.NDArray[np.bool_], *, seed: int = 0
) -> Measured:
    """How much the share of (n,) hits grew, by the same seeds; a bootstrap over seeds, and never
    surer than the interval of either share alone."""
    difference = after.astype(float) - before.astype(float)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(difference), (DRAWS, len(difference)))
    low, high = quantiles(difference[drawn].mean(axis=1))
    value, widest = float(difference.mean()), recognised(after)
    low = min(float(low), value - (widest.value - widest.low))
    high = max(float(high), value + (widest.high - widest.value))
    return Measured(value, max(-1.0, low), min(1.0, high), len(after))


def copied(made: FloatArray, learned: FloatArray) -> Measured:
    """The share of (n, d) made pictures that are nearer to a picture learned from (m, d) than that
    one's nearest other is: what is copied is nearer than the pictures are to each other."""
    among = _distances(learned, learned)
    np.fill_diagonal(among, np.inf)
    to = _distances(made, learned)
    nearest = to.argmin(axis=1)
    return recognised(to[np.arange(len(made)), nearest] < among[nearest].min(axis=1))


def _distances(one: FloatArray, other: FloatArray) -> FloatArray:
    """(n, m) Euclidean."""
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(np.asarray(one, np.float64), np.asarray(other, np.float64)))


@dataclass(frozen=True, eq=False)
class _Kernels:
    """Of made pictures with each other, of real ones, and between the two."""

    made: FloatArray
    real: FloatArray
    between: FloatArray

    @classmethod
    def of(cls, made: FloatArray, real: FloatArray) -> _Kernels:
        a, b = np.asarray(made, np.float64), np.asarray(real, np.float64)
        return cls(_kernel(a, a), _kernel(b, b), _kernel(a, b))


def _kernel(one: FloatArray, other: FloatArray) -> FloatArray:
    return np.asarray((one @ other.T / one.shape[1] + 1) ** 3)


def _discrepancy(
    kernels: _Kernels, made: npt.NDArray[np.intp] | None, real: npt.NDArray[np.intp] | None
) -> float:
    """Of the pictures of these numbers, or of all."""
    made = np.arange(len(kernels.made)) if made is None else made
    real = np.arange(len(kernels.real)) if real is None else real
    between = kernels.between[np.ix_(made, real)].mean()
    return float(_pairs(kernels.made, made) + _pairs(kernels.real, real) - 2 * between)


def _pairs(kernel: FloatArray, drawn: npt.NDArray[np.intp]) -> float:
    """The mean over pairs of two different pictures."""
    different = drawn[:, None] != drawn[None, :]
    return float(kernel[np.ix_(drawn, drawn)][different].mean())
