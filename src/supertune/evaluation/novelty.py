"""Rows that are unlike the rows learned from, told by their distance in feature space.

The labelled rows are described by one normal distribution a view: of what they mean (the features
of a backbone, or columns of numbers) and of how they are written (`supertune.data.form`). Each has
a mean, and a covariance drawn towards a sphere as far as the rows are few (Ledoit and Wolf 2004);
the distance of a row is that of Mahalanobis (1936), as Lee et al. (2018, arXiv:1807.03888) use it.
Distances of several views are added, each in its own spread over the labelled rows.

How far a row like these lies is known from the labelled rows themselves, each measured by a
description that other rows made; the likeness of a new row is the share of them that lie as far
(a conformal p-value: Laxhammar and Falkman 2010; Bates et al. 2023). At 5 % or less it is called
unlike them, which of rows like them happens to about one in twenty. That needs 19 rows: with
fewer, nothing can lie further out than 19 in 20 of them do.

What is kept is means, directions and distances; no row can be read from it.

Shapes: n rows, d numbers of a view, r directions, V views.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray

FLOOR = 19  # rows, without which no likeness is as low as `UNLIKE`
ROWS = 2000  # that are described at most; they come in the order of a hash, so that any will do
DIRECTIONS = 128  # that are kept at most; beyond them the distribution is a sphere
FOLDS = 20
WEIGHTS = {"meaning": 1.0, "form": 0.5}  # of the views; others count whole
TINY = 1e-12
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
    rest = (1 - drawn) * left + drawn * sphere
    if kept == width:  # nothing lies beyond but rounding
        rest = max(float(variances.max(initial=0.0)), sphere)
    return Described(
        mean,
        scale,
        directions[:kept],
        np.maximum((1 - drawn) * variances[:kept] + drawn * sphere, 1e-12),
        float(max(rest, 1e-12)),
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
    views: Mapping[str, FloatArray],
    groups: IntArray | None = None,
    own_units: Collection[str] = (),
) -> dict[str, npt.NDArray[np.generic]]:
    """What a model keeps of the labelled rows to know rows unlike them.

    Args:
        views: (n, d) by name.
        groups: (n,) rows that count as one and measure no other of their own.
        own_units: views whose numbers have a unit each.

    Returns:
        Arrays by name, for `likeness`; empty with fewer than 19 rows or groups, and without views.
    """
    count = max(map(len, views.values()), default=0)
    if independent(count, groups) < FLOOR:
        return {}
    count = min(count, ROWS)
    units = np.arange(count) if groups is None else np.asarray(groups[:count])
    names = np.unique(units)
    part = np.searchsorted(names, units) % min(FOLDS, len(names))
    kept: dict[str, npt.NDArray[np.generic]] = {}
    total = np.zeros(count)
    for name, features in sorted(views.items()):
        rows, alone = np.asarray(features[:count], dtype=np.float64), name in own_units
        found = np.empty(count)
        for number in np.unique(part):
            others = described(rows[part != number], own_units=alone)
            found[part == number] = others.distances(rows[part == number])
        middle, spread = _spread(found)
        total += _standing(found, middle, spread, name)
        kept |= _arrays(name, described(rows, own_units=alone), middle, spread)
    return {**kept, f"{_PREFIX}distances": np.sort(total)}


def _spread(distances: FloatArray) -> tuple[float, float]:
    logs = np.log(np.maximum(distances, TINY))
    return float(logs.mean()), max(float(logs.std()), 1e-3)


def _standing(distances: FloatArray, middle: float, spread: float, view: str) -> FloatArray:
    """Logarithms of distances in units of their spread over the labelled rows, weighted."""
    logs = np.log(np.maximum(distances, TINY))
    return np.asarray(WEIGHTS.get(view, 1.0) * (logs - middle) / spread)


def _arrays(
    view: str, found: Described, middle: float, spread: float
) -> dict[str, npt.NDArray[np.generic]]:
    return {
        f"{_PREFIX}{view}.mean": found.mean,
        f"{_PREFIX}{view}.scale": found.scale,
        f"{_PREFIX}{view}.directions": found.directions.astype(np.float32),
        f"{_PREFIX}{view}.variances": np.append(found.variances, found.rest),
        f"{_PREFIX}{view}.spread": np.array([middle, spread]),
    }


def independent(rows: int, groups: IntArray | None) -> int:
    """How many of the rows are independent of one another, a group counting as one."""
    return rows if groups is None else len(np.unique(groups))


def known(kept: Mapping[str, npt.NDArray[np.generic]]) -> bool:
    """Whether there is what `likeness` needs."""
    return f"{_PREFIX}distances" in kept


def views_known(kept: Mapping[str, npt.NDArray[np.generic]]) -> list[str]:
    """The views that rows are compared by."""
    return sorted(
        name.removeprefix(_PREFIX).removesuffix(".mean")
        for name in kept
        if name.startswith(_PREFIX) and name.endswith(".mean")
    )


def likeness(
    kept: Mapping[str, npt.NDArray[np.generic]], views: Mapping[str, FloatArray]
) -> FloatArray:
    """(n,) conformal p-values: the share of the labelled rows that lie as far out, new row
    included, so never 0. At most `UNLIKE` means unlike them."""
    total: FloatArray = np.zeros(max(map(len, views.values()), default=0))
    for view in views_known(kept):
        arrays = {name: np.asarray(kept[f"{_PREFIX}{view}.{name}"], np.float64) for name in _NAMES}
        variances, (middle, spread) = arrays["variances"], arrays["spread"]
        about = Described(
            arrays["mean"],
            arrays["scale"],
            arrays["directions"],
            variances[:-1],
            float(variances[-1]),
        )
        total = total + _standing(about.distances(views[view]), middle, spread, view)
    distances = np.asarray(kept[f"{_PREFIX}distances"], dtype=np.float64)
    as_far = len(distances) - np.searchsorted(distances, total, side="left")
    return np.asarray((1 + as_far) / (len(distances) + 1))


_NAMES = ("mean", "scale", "directions", "variances", "spread")
