"""Rows that are unlike the rows learned from, told by their distance in feature space.

The labelled rows' features are described by one normal distribution: a mean, and a covariance
drawn towards a sphere as far as the rows are few (Ledoit and Wolf 2004). The distance of a row
from it is that of Mahalanobis (1936), as Lee et al. (2018, arXiv:1807.03888) use it. How far a row
like these lies is known from the labelled rows themselves, each measured by a description that
other rows made; a new row's p-value is the share of them that lie as far (conformal: Laxhammar
and Falkman 2010; Bates et al. 2023). Below 5 % it is called unlike them, which of rows like them
happens to at most about one in twenty. That needs 19 rows: with fewer, nothing can lie further out
than 19 in 20 of them do.

What is kept is a mean, directions and distances; no row can be read from it.

Shapes: n rows, d features, r directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray

FLOOR = 19  # rows, without which no likeness is as low as `UNLIKE`
ROWS = 2000  # that are described at most; they come in the order of a hash, so that any will do
DIRECTIONS = 128  # that are kept at most; beyond them the distribution is a sphere
FOLDS = 20
_PREFIX = "novelty."


@dataclass(frozen=True, eq=False)
class Described:
    """Labelled rows as one normal distribution.

    Attributes:
        mean: (d,).
        scale: (d,) units of the features; ones where they have one unit.
        directions: (r, d) of length 1, those of the largest variance.
        variances: (r,) along them.
        rest: the variance along every other direction.
    """

    mean: FloatArray
    scale: FloatArray
    directions: FloatArray
    variances: FloatArray
    rest: float

    def distances(self, features: FloatArray) -> FloatArray:
        """(n,) squared Mahalanobis distances."""
        away = (np.asarray(features, dtype=np.float64) - self.mean) / self.scale
        along = away @ self.directions.T
        within = along**2
        beyond = np.maximum((away**2).sum(axis=1) - within.sum(axis=1), 0.0)
        return np.asarray((within / self.variances).sum(axis=1) + beyond / self.rest)


def described(features: FloatArray, *, own_units: bool = False) -> Described:
    """The normal distribution of features (n, d); ``own_units`` where each has units of its own."""
    rows = np.asarray(features, dtype=np.float64)
    count, width = rows.shape
    mean = rows.mean(axis=0)
    away, scale = rows - mean, np.ones(width)
    if own_units:
        spread = away.std(axis=0)
        scale = np.where(spread > 1e-12 * np.abs(rows).max(axis=0, initial=0.0), spread, 1.0)
        away = away / scale
    _, singular, directions = np.linalg.svd(away, full_matrices=False)
    variances = singular**2 / count
    sphere = max(float(variances.sum()) / width, 1e-12)
    drawn = _shrinkage(away, variances, sphere)
    kept = min(DIRECTIONS, len(variances))
    left = variances[kept:].sum() / max(1, width - kept)
    return Described(
        mean,
        scale,
        directions[:kept],
        (1 - drawn) * variances[:kept] + drawn * sphere,
        float(max((1 - drawn) * left + drawn * sphere, 1e-12)),
    )


def _shrinkage(away: FloatArray, variances: FloatArray, sphere: float) -> float:
    """How far the covariance of centred rows is drawn towards a sphere (Ledoit and Wolf 2004)."""
    count, width = away.shape
    squares = float((variances**2).sum())
    distance = squares - width * sphere**2
    fourth = float(((away**2).sum(axis=1) ** 2).sum()) / count
    noise = (fourth - squares) / count
    return min(1.0, max(noise / distance, 0.0)) if distance > 0 else 1.0


def learned(
    features: FloatArray,
    groups: IntArray | None = None,
    *,
    own_units: bool = False,
) -> dict[str, npt.NDArray[np.generic]]:
    """What a model keeps of the labelled rows' features (n, d) to know rows unlike them.

    Arrays by name, for `unlike`; empty with fewer than 19 rows (groups, where there are any).
    """
    if independent(len(features), groups) < FLOOR:
        return {}
    rows = np.asarray(features[:ROWS], dtype=np.float64)
    units = np.arange(len(rows)) if groups is None else np.asarray(groups[:ROWS])
    names = np.unique(units)
    part = np.searchsorted(names, units) % min(FOLDS, len(names))
    found = np.empty(len(rows))
    for number in np.unique(part):
        others = described(rows[part != number], own_units=own_units)
        found[part == number] = others.distances(rows[part == number])
    whole = described(rows, own_units=own_units)
    return {
        f"{_PREFIX}mean": whole.mean,
        f"{_PREFIX}scale": whole.scale,
        f"{_PREFIX}directions": whole.directions.astype(np.float32),
        f"{_PREFIX}variances": np.append(whole.variances, whole.rest),
        f"{_PREFIX}distances": np.sort(found),
    }


def independent(rows: int, groups: IntArray | None) -> int:
    """How many of the rows are independent of one another, a group counting as one."""
    return rows if groups is None else len(np.unique(groups))


def known(kept: Mapping[str, npt.NDArray[np.generic]]) -> bool:
    """Whether there is what `likeness` needs."""
    return f"{_PREFIX}distances" in kept


def likeness(kept: Mapping[str, npt.NDArray[np.generic]], features: FloatArray) -> FloatArray:
    """(n,) conformal p-values: the share of the labelled rows that lie as far out, new row
    included, so never 0. At most `UNLIKE` means unlike them."""
    arrays = {name: np.asarray(kept[_PREFIX + name], dtype=np.float64) for name in _NAMES}
    *variances, rest = arrays["variances"]
    about = Described(
        arrays["mean"], arrays["scale"], arrays["directions"], np.array(variances), float(rest)
    )
    distances = arrays["distances"]
    as_far = len(distances) - np.searchsorted(distances, about.distances(features), side="left")
    return np.asarray((1 + as_far) / (len(distances) + 1))


_NAMES = ("mean", "scale", "directions", "variances", "distances")
