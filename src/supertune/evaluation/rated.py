"""How well later ratings are foreseen, where people rate: by how high a person and an item are
rated otherwise, each shrunk towards the mean by how little is known of it (Koren 2008).

Shapes: m ratings, n people, I items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune.contracts import Examples, FloatArray, History, IntArray
from supertune.evaluation.resampling import Sampling

SHRINK = 5.0  # ratings at which what is known of a person or an item counts half
SWEEPS = 5
FEWEST = 20  # later ratings, below which nothing is said
BINS = 5  # of equally many ratings, by what was foreseen


@dataclass(frozen=True, eq=False)
class _Ratings:
    """(m,) people, items and ratings."""

    people: IntArray
    items: IntArray
    values: FloatArray


def section(known: Examples, whole: Examples | None, seed: int) -> dict[str, Any]:
    """``ratings``: the root mean squared error of foreseen ratings with a 95 % interval over
    people, that of the mean of each item and of each person, and whether ratings come out as
    foreseen: the slope of given on foreseen ones (1 where they do), and both by groups. Empty where
    few of the items that judge were rated, or all alike.

    Args:
        known: people with what is learned from.
        whole: the same people with what judges behind it.
    """
    if whole is None:
        return {}
    before = {one.person: one for one in known.inputs if isinstance(one, History)}
    people = [one for one in whole.inputs if isinstance(one, History) and one.person in before]
    starts = [len(before[one.person]) for one in people]
    learnt = _gathered([one.first(at) for one, at in zip(people, starts, strict=True)], None)
    later = _gathered(people, starts)
    if len(later.values) < FEWEST or not len(learnt.values) or np.ptp(learnt.values) == 0:
        return {}
    size = len(whole.labels)
    told = _additive(learnt, later, len(people), size)
    middle = float(learnt.values.mean())
    free = {
        "item mean": _means(learnt.items, learnt.values, size, middle)[later.items],
        "person mean": _means(learnt.people, learnt.values, len(people), middle)[later.people],
    }
    sampling = Sampling(len(people), seed)
    slope, intercept = np.polyfit(told, later.values, 1) if np.ptp(told) else (0.0, middle)
    found = {
        "count": len(later.values),
        "rmse": _error(told, later, sampling),
        "baselines": {name: _error(one, later, sampling) for name, one in free.items()},
        "slope": float(slope),
        "intercept": float(intercept),
        "groups": _groups(told, later.values),
    }
    return {"ratings": found}


def _gathered(people: Sequence[History], starts: Sequence[int] | None) -> _Ratings:
    """All that were given, from ``starts`` on."""
    rows, items, values = [], [], []
    for i, one in enumerate(people):
        part = slice(0 if starts is None else starts[i], None)
        given = np.isfinite(one.ratings[part])
        rows.append(np.full(int(given.sum()), i))
        items.append(one.items[part][given])
        values.append(one.ratings[part][given])
    none = np.zeros(0)
    return _Ratings(
        np.concatenate([none, *rows]).astype(np.int64),
        np.concatenate([none, *items]).astype(np.int64),
        np.concatenate([none, *values]).astype(np.float64),
    )


def _additive(learnt: _Ratings, later: _Ratings, people: int, size: int) -> FloatArray:
    """(m,) mean + person + item, kept to the ratings that are given."""
    middle = learnt.values.mean()
    person, item = np.zeros(people), np.zeros(size)
    held = np.bincount(learnt.items, minlength=size) + SHRINK
    gave = np.bincount(learnt.people, minlength=people) + SHRINK
    for _ in range(SWEEPS):
        left = learnt.values - middle - person[learnt.people]
        item = np.bincount(learnt.items, left, size) / held
        left = learnt.values - middle - item[learnt.items]
        person = np.bincount(learnt.people, left, people) / gave
    told = middle + person[later.people] + item[later.items]
    return np.asarray(np.clip(told, learnt.values.min(), learnt.values.max()))


def _means(of: IntArray, values: FloatArray, size: int, otherwise: float) -> FloatArray:
    count = np.bincount(of, minlength=size)
    total = np.bincount(of, values, size)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), otherwise))


def _error(told: FloatArray, later: _Ratings, sampling: Sampling) -> dict[str, float]:
    squares = np.bincount(later.people, (told - later.values) ** 2, sampling.n)
    count = np.bincount(later.people, minlength=sampling.n).astype(np.float64)
    drawn = np.concatenate(
        [np.sqrt((t @ squares) / np.maximum(t @ count, 1e-12)) for t in sampling.drawn()]
    )
    low, high = np.quantile(drawn, (0.025, 0.975))
    value = float(np.sqrt(squares.sum() / count.sum()))
    return {"value": value, "low": float(low), "high": float(high)}


def _groups(told: FloatArray, given: FloatArray) -> list[dict[str, float]]:
    parts = np.array_split(np.argsort(told, kind="stable"), BINS)
    return [
        {"foreseen": float(told[p].mean()), "given": float(given[p].mean()), "count": len(p)}
        for p in parts
    ]
