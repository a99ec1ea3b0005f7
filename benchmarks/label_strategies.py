"""Ways to choose rows to label that `supertune label` is compared with; none is in the product.

Each takes a `View` of the pool and answers with indices of rows that have no label yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from supertune import registry
from supertune.contracts import FloatArray, HeadSpec, IntArray
from supertune.labelling import selection
from supertune.labelling.selection import Space

TYPICAL = 20  # neighbours whose distance says how typical a row is (Hacohen et al. 2022)
SMALLEST = 5  # rows that a cluster must have to be asked about
PREFERRED = 10  # times the batch that is kept by margin before it is clustered


@dataclass(frozen=True, eq=False)
class View:
    """What may be known when rows are chosen.

    Attributes:
        features: (n, d) of the pool.
        space: the same as seen from their mean.
        labelled: indices of the rows that have a label.
        chances: (n, C) of the labels seen so far; None before there are two.
    """

    features: FloatArray
    space: Space
    labelled: IntArray
    chances: FloatArray | None

    @property
    def unit(self) -> FloatArray:
        """(n, d) of length 1."""
        return self.space.unit

    @property
    def free(self) -> np.ndarray:
        found = np.ones(len(self.features), dtype=bool)
        found[self.labelled] = False
        return found


Strategy = Callable[[View, int, np.random.Generator], IntArray]


def chance(view: View, count: int, rng: np.random.Generator) -> IntArray:
    return rng.choice(np.flatnonzero(view.free), count, replace=False)


def ours(view: View, count: int, rng: np.random.Generator) -> IntArray:
    """What the product does."""
    labelled = view.features[view.labelled]
    doubt = None if view.chances is None else _doubt(view.chances)
    return selection.choose(view.space, labelled, count, doubt=doubt, free=view.free)


def design(view: View, count: int, rng: np.random.Generator) -> IntArray:
    """The same without weights: transductive experimental design (Yu et al. 2006)."""
    even = np.ones(len(view.unit))
    return selection.greedy(view.unit, view.unit[view.labelled], count, even, view.free)


def margin(view: View, count: int, rng: np.random.Generator) -> IntArray:
    """The smallest gap between the two likeliest labels (Scheffer et al. 2001)."""
    if view.chances is None:
        return chance(view, count, rng)
    doubt = np.where(view.free, _doubt(view.chances), -1.0)
    return np.argsort(-doubt, kind="stable")[:count]


def core_set(view: View, count: int, rng: np.random.Generator) -> IntArray:
    """k-center greedy: the row farthest from all that are labelled (Sener & Savarese 2018)."""
    labelled = list(view.labelled)
    chosen: list[int] = [] if labelled else [int(rng.integers(len(view.unit)))]
    away = (2 - 2 * view.unit @ view.unit[[*labelled, *chosen]].T).min(axis=1)
    while len(chosen) < count:
        chosen.append(int(away.argmax()))
        away = np.minimum(away, 2 - 2 * view.unit @ view.unit[chosen[-1]])
    return np.array(chosen)


def typiclust(view: View, count: int, rng: np.random.Generator) -> IntArray:
    """The most typical row of the largest clusters without a label (Hacohen et al. 2022)."""
    groups = len(view.labelled) + count
    cluster = _clustered(view.unit, groups, rng)
    size = np.bincount(cluster, minlength=groups)
    taken = np.bincount(cluster[view.labelled], minlength=groups)
    out, chosen = set(view.labelled.tolist()), []
    for _ in range(count):
        for group in np.lexsort((-size, taken + len(out) * (size < SMALLEST))):
            members = [i for i in np.flatnonzero(cluster == group).tolist() if i not in out]
            if members:
                break
        best = members[int(_typicality(view.unit[members]).argmax())]
        chosen.append(best)
        out.add(best)
        taken[group] += 1
    return np.array(chosen)


def badge(view: View, count: int, rng: np.random.Generator) -> IntArray:
    """k-means++ over gradients of the head, a row's own answer taken as true (Ash et al. 2020)."""
    x = view.features
    chances = np.full((len(x), 2), 0.5) if view.chances is None else view.chances
    slope = chances.copy()
    slope[np.arange(len(x)), chances.argmax(axis=1)] -= 1
    norm = (x**2).sum(axis=1) * (slope**2).sum(axis=1)
    free = view.free

    def away(i: int) -> FloatArray:
        return np.maximum(norm + norm[i] - 2 * (slope @ slope[i]) * (x @ x[i]), 0)

    chosen = [int(np.where(free, norm, -1).argmax())]
    least = away(chosen[0])
    while len(chosen) < count:
        free[chosen] = False
        share = np.where(free, least, 0.0)
        share = share if share.sum() > 0 else free.astype(float)
        chosen.append(int(rng.choice(len(x), p=share / share.sum())))
        least = np.minimum(least, away(chosen[-1]))
    return np.array(chosen)


def diverse_margin(view: View, count: int, rng: np.random.Generator) -> IntArray:
    """Clusters of the most uncertain rows, weighted by it (Zhdanov 2019); typical rows first."""
    if view.chances is None:
        return typiclust(view, count, rng)
    doubt = np.where(view.free, _doubt(view.chances), -1.0)
    most = min(PREFERRED * count, int(view.free.sum()))
    kept = np.argsort(-doubt, kind="stable")[:most]
    rows, weight = view.unit[kept], doubt[kept] + 1e-6
    cluster = _clustered(rows, count, rng, weight)
    chosen: list[int] = []
    for group in range(count):
        mine = cluster == group
        centre = np.average(rows[mine], axis=0, weights=weight[mine]) if mine.any() else rows[0]
        away = ((rows - centre) ** 2).sum(axis=1)
        away[[int(np.flatnonzero(kept == i)[0]) for i in chosen]] = np.inf
        chosen.append(int(kept[away.argmin()]))
    return np.array(chosen)


STRATEGIES: dict[str, Strategy] = {
    "random": chance,
    "supertune": ours,
    "design": design,
    "margin": margin,
    "core-set": core_set,
    "TypiClust": typiclust,
    "BADGE": badge,
    "diverse margin": diverse_margin,
}


def _doubt(chances: FloatArray) -> FloatArray:
    return registry.objective("classify").doubt(chances, HeadSpec(chances.shape[1]))


def _typicality(rows: FloatArray) -> FloatArray:
    """(n,) one over the mean distance to the nearest rows."""
    near = min(TYPICAL, len(rows) - 1)
    if near < 1:
        return np.ones(len(rows))
    away = np.sqrt(np.maximum(2 - 2 * rows @ rows.T, 0))
    return 1 / (np.partition(away, near, axis=1)[:, : near + 1].sum(axis=1) / near + 1e-9)


def _clustered(
    rows: FloatArray, groups: int, rng: np.random.Generator, weight: FloatArray | None = None
) -> IntArray:
    """(n,) the cluster of each row: k-means from k-means++, 15 rounds."""
    weight = np.ones(len(rows)) if weight is None else weight
    seeds = [int(rng.choice(len(rows), p=weight / weight.sum()))]
    least = ((rows - rows[seeds[0]]) ** 2).sum(axis=1)
    while len(seeds) < groups:
        share = least * weight
        if share.sum() <= 0:
            break
        seeds.append(int(rng.choice(len(rows), p=share / share.sum())))
        least = np.minimum(least, ((rows - rows[seeds[-1]]) ** 2).sum(axis=1))
    centres = rows[seeds].copy()
    for _ in range(15):
        nearest = (2 * rows @ centres.T - (centres**2).sum(axis=1)).argmax(axis=1)
        share = np.zeros((len(centres), len(rows)), dtype=rows.dtype)
        share[nearest, np.arange(len(rows))] = weight
        total = share.sum(axis=1, keepdims=True)
        centres = np.where(total > 0, share @ rows / np.maximum(total, 1e-12), centres)
    return np.asarray((2 * rows @ centres.T - (centres**2).sum(axis=1)).argmax(axis=1))
