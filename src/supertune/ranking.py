"""Metrics of ranked lists, each computed over all items of the catalogue and never over a sample
of them (Krichene and Rendle 2020).

Shapes: n people, K items of each list, H items at most that came later, padded with -1, B
weightings. A person without later items is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray

TOP = 10
RANKING: Mapping[str, bool] = {
    "ndcg@10": True,
    "recall@10": True,
    "hit_rate@10": True,
    "map@10": True,
    "mrr": True,
}


def ranking(
    places: npt.NDArray[Any], later: npt.NDArray[np.integer], weights: FloatArray | None = None
) -> dict[str, FloatArray]:
    """Each metric (B,) of lists (n, K); B is 1 without ``weights`` (B, n)."""
    each, counted = per_person(places, later)
    mass = counted.astype(np.float64)[None] if weights is None else weights * counted
    total = mass.sum(axis=1)
    return {
        name: np.asarray(mass @ column / np.where(total > 0, total, 1.0))
        for name, column in zip(RANKING, each.T, strict=True)
    }


def per_person(
    places: npt.NDArray[Any], later: npt.NDArray[np.integer]
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """(n, 5) the metrics of `RANKING` for each person, and (n,) who is counted.

    NDCG has gains of 1 and 1 / log2(rank + 1) (Järvelin and Kekäläinen 2002); recall is of all
    later items; average precision is divided by the most that the list can hold; the reciprocal
    rank is 0 where nothing of the list came.
    """
    hits = found(places, later)
    held = (later >= 0).sum(axis=1)
    counted = held > 0
    safe = np.maximum(held, 1)
    short = hits[:, :TOP]
    ranks = np.arange(1, short.shape[1] + 1)
    discount = 1.0 / np.log2(ranks + 1.0)
    possible = np.minimum(safe, TOP)
    ideal = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, TOP + 2)))])[possible]
    precision = np.cumsum(short, axis=1) / ranks
    first = np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1.0), 0.0)
    table = np.column_stack(
        [
            short @ discount / ideal,
            short.sum(axis=1) / safe,
            short.any(axis=1),
            (short * precision).sum(axis=1) / possible,
            first,
        ]
    )
    return np.where(counted[:, None], table, 0.0), counted


def found(places: npt.NDArray[Any], later: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """(n, K) which items of each list came later."""
    if not places.size or not later.size:
        return np.zeros(places.shape, dtype=bool)
    listed = np.asarray(places, dtype=np.int64)
    size = int(max(listed.max(), later.max())) + 1
    people = np.arange(len(listed))[:, None] * size
    wanted = (people + later)[later >= 0]
    return np.asarray(np.isin(people + listed, wanted) & (listed >= 0))
