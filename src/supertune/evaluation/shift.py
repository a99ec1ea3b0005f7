"""What became of a model on rows from elsewhere, and why: scores, classes, texts.

Two files have no rows in common, so scores are compared unpaired: the interval of a difference is
recovered from the intervals of its sides (MOVER, Zou & Donner 2008, doi:10.1002/sim.3095; of
shares it is that of Newcombe 1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from supertune.contracts import FloatArray
from supertune.evaluation.intervals import Estimate, wilson

ROWS = 400  # of a file at most whose features are compared
PERMUTATIONS = 499
RESAMPLES = 200
STEPS = 200  # of EM
SETTLED = 1e-6


@dataclass(frozen=True)
class Change:
    """A number on both sides, and shifted less source with its 95 % interval."""

    name: str
    source: float
    shifted: float
    difference: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether these rows show that there is a change."""
        return self.low > 0 or self.high < 0

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "shown": self.shown}


Side = tuple[float, float, float]  # value, low, high


def change(name: str, source: Side, shifted: Side) -> Change:
    """Two independent estimates with their 95 % intervals, compared."""
    (a, a_low, a_high), (b, b_low, b_high) = source, shifted
    low = b - a - np.hypot(b - b_low, a_high - a)
    high = b - a + np.hypot(b_high - b, a - a_low)
    return Change(name, a, b, b - a, float(low), float(high))


def side(estimate: Estimate) -> Side:
    return estimate.value, estimate.low, estimate.high


def counted(labels: Sequence[str], counts: FloatArray, rows: int) -> dict[str, Side]:
    """The share of each label among ``rows`` of which ``counts`` (C,) carry it, with Wilson's
    interval."""
    shares = counts / max(rows, 1)
    return {
        name: (float(share), *wilson(float(share), rows))
        for name, share in zip(labels, shares, strict=True)
    }


def estimated(
    labels: Sequence[str], chances: FloatArray, prior: FloatArray, *, seed: int
) -> dict[str, Side]:
    """The share of each label among rows without labels, from the model's probabilities (n, C)
    and the shares ``prior`` (C,) that it learned under: EM (Saerens, Latinne & Decaestecker 2002,
    doi:10.1162/089976602753284446), with a percentile bootstrap over rows.

    It holds where the classes look as they did and only their shares have changed.
    """
    rng = np.random.default_rng([seed, len(chances)])
    chosen = rng.permutation(len(chances))[:1000]
    kept = np.maximum(chances[chosen], 1e-12)
    whole = _shares(kept, prior, np.ones((1, len(kept))))[0]
    draws = rng.multinomial(len(kept), np.full(len(kept), 1 / len(kept)), size=RESAMPLES)
    low, high = np.quantile(_shares(kept, prior, draws.astype(float)), (0.025, 0.975), axis=0)
    return {
        name: (float(whole[i]), float(min(low[i], whole[i])), float(max(high[i], whole[i])))
        for i, name in enumerate(labels)
    }


def _shares(chances: FloatArray, prior: FloatArray, weights: FloatArray) -> FloatArray:
    """(B, C) for each row of ``weights`` (B, n), by EM from ``prior``."""
    ratio = chances / np.maximum(prior, 1e-6)  # (n, C), likelihoods but for a factor a row
    total = weights.sum(axis=1, keepdims=True)
    found = np.tile(prior, (len(weights), 1))
    for _ in range(STEPS):
        norm = found @ ratio.T  # (B, n)
        new = found * ((weights / np.maximum(norm, 1e-300)) @ ratio) / total
        moved = float(np.abs(new - found).max())
        found = new
        if moved < SETTLED:
            break
    return found


@dataclass(frozen=True)
class Distance:
    """How unlike two sets of vectors are.

    Attributes:
        told_apart: the share of rows of which a linear classifier that had not seen the row says
            rightly which set it is from, both sets counting alike; .5 is a guess.
        p_value: how often a random split of all rows is as unlike (MMD, Gretton et al. 2012).
    """

    told_apart: float
    p_value: float
    rows: tuple[int, int]

    @property
    def shown(self) -> bool:
        return self.p_value <= 0.05

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "rows": list(self.rows), "shown": self.shown}


def distance(source: FloatArray, shifted: FloatArray, *, seed: int) -> Distance:
    """Between vectors (n, d) and (m, d), of at most `ROWS` rows each, scaled to length 1."""
    rng = np.random.default_rng([seed, len(source), len(shifted)])
    a, b = (one[rng.permutation(len(one))[:ROWS]].astype(np.float64) for one in (source, shifted))
    x = np.concatenate([a, b])
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    side_of = np.repeat([1.0, -1.0], [len(a), len(b)])
    return Distance(_told_apart(x, side_of), _p_value(x, side_of, rng), (len(a), len(b)))


def _p_value(x: FloatArray, side_of: FloatArray, rng: np.random.Generator) -> float:
    """Of the biased MMD with a Gaussian kernel as wide as the median distance."""
    squared = np.maximum(2 - 2 * x @ x.T, 0.0)
    width = np.median(squared[np.triu_indices(len(x), 1)])
    kernel = np.exp(-squared / max(float(width), 1e-12))
    orders = [side_of, *(rng.permutation(side_of) for _ in range(PERMUTATIONS))]
    signs = np.stack(orders)
    ones = (signs > 0).sum(axis=1, keepdims=True)
    weights = np.where(signs > 0, 1 / ones, -1 / (len(x) - ones))
    found = np.einsum("bn,nm,bm->b", weights, kernel, weights, optimize=True)
    return float((found >= found[0] - 1e-12).mean())


def _told_apart(x: FloatArray, side_of: FloatArray) -> float:
    """Balanced accuracy of a ridge that leaves each row out, in closed form."""
    weight = np.where(side_of > 0, 1 / (side_of > 0).sum(), 1 / (side_of < 0).sum()) / 2
    centred = x - weight @ x
    root = np.sqrt(weight)
    gram = (centred @ centred.T) * np.outer(root, root)
    values, vectors = np.linalg.eigh(gram)
    shrink = np.clip(values, 0, None)
    shrink = shrink / (shrink + 0.1 * values.sum() / len(x))
    hat = (vectors * shrink) @ vectors.T
    goal = side_of * root
    residual = (goal - hat @ goal) / np.maximum(1 - np.diag(hat) - weight, 1e-9)
    scores = side_of - residual / root
    return float(weight @ (np.sign(scores) == side_of))
