"""Items described by numbers: what a backbone makes of their texts, categories and years; and
linear maps from these to whatever is known of items that people took.

Shapes: I items, w of them known, d numbers that describe an item, k that are predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from supertune.contracts import Catalogue, FloatArray, IntArray
from supertune.methods._recommending import Learnt

STEPS = 8  # bumps along the years
MOST_KINDS = 500


def described(learnt: Learnt) -> FloatArray:
    """(I, d) float32: text, categories and years, each centred and of one mean square."""
    views = [(part - _even(part)[0]) / _even(part)[1] for part in _parts(learnt)]
    whole: FloatArray = np.concatenate(views, axis=1) / np.sqrt(len(views))
    return whole.astype(np.float32)


def placed(learnt: Learnt) -> tuple[FloatArray, float]:
    """The mean that is taken from contents, and what they are then divided by: so they become the
    first columns of `described`."""
    parts = _parts(learnt)
    mean, size = _even(parts[0])
    return mean, size * float(np.sqrt(len(parts)))


def _parts(learnt: Learnt) -> list[FloatArray]:
    assert learnt.content is not None
    more = _kinds(learnt.catalogue), _bumps(learnt.catalogue.years)
    return [learnt.content, *(part for part in more if part is not None)]


def _even(part: FloatArray) -> tuple[FloatArray, float]:
    """The mean (d,), and the root of the mean square around it."""
    mean = part.mean(axis=0)
    return mean, max(float(np.sqrt(((part - mean) ** 2).sum(axis=1).mean())), 1e-12)


def _kinds(catalogue: Catalogue) -> FloatArray | None:
    """(I, c) categories, of length 1 an item."""
    names = catalogue.kinds[:MOST_KINDS]
    if not names:
        return None
    place = {name: i for i, name in enumerate(names)}
    found = np.zeros((len(catalogue), len(names)))
    for i, some in enumerate(catalogue.categories):
        found[i, [place[name] for name in some if name in place]] = 1.0
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1.0))


def _bumps(years: FloatArray) -> FloatArray | None:
    """(I, 8) how near the year of an item is to others' years; the mean where it is unknown."""
    known = np.isfinite(years)
    if not known.any() or np.ptp(years[known]) == 0:
        return None
    middles = np.quantile(years[known], np.linspace(0.02, 0.98, STEPS))
    away = (years[:, None] - middles) / (0.5 * years[known].std())
    found = np.exp(-0.5 * away**2)
    found[~known] = found[known].mean(axis=0)
    return np.asarray(found)


@dataclass(frozen=True, eq=False)
class Lending:
    """What known items lend to others that are described alike: ridge regression from items'
    descriptions, in the span of the known ones.

    Attributes:
        map: (w, d): columns (n, w) of known items, centred, times this times a description is
            what another item's column would be.
    """

    map: FloatArray

    def to(self, columns: FloatArray, descriptions: FloatArray) -> FloatArray:
        """(n, c) columns of other items by their descriptions (c, d), from those (n, w)."""
        mean = columns.mean(axis=1, keepdims=True)
        return np.asarray(mean + (columns - mean) @ self.map @ descriptions.T)


def lending(known: FloatArray, strength: float) -> Lending:
    """From the descriptions of known items (w, d)."""
    rows = np.asarray(known, dtype=np.float64)
    if len(rows) <= rows.shape[1]:
        inner = rows @ rows.T + strength * np.eye(len(rows))
        return Lending(np.linalg.solve(inner, rows).astype(np.float32))
    inner = rows.T @ rows + strength * np.eye(rows.shape[1])
    return Lending(np.linalg.solve(inner, rows.T).T.astype(np.float32))


def others(known: IntArray, size: int) -> IntArray:
    """Places of the items that are not known."""
    left = np.ones(size, dtype=bool)
    left[known] = False
    return np.flatnonzero(left)
