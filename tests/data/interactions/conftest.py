"""Made-up interactions: people who like either tea or bicycles, and things of both."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Columns, Reading
from supertune.data.interactions import reading

KINDS = ("tea", "bicycles")
WORDS = {
    "tea": ("green tea leaves", "teapot of clay", "cup and saucer", "black tea", "tea strainer"),
    "bicycles": ("bicycle chain", "road bike saddle", "bike pump", "helmet", "pedals of steel"),
}


def things(each: int = 10) -> list[dict[str, str]]:
    """Items ``t0`` ... of each kind, the last of each with nobody who took it."""
    return [
        {
            "item_id": f"{kind[0]}{i}",
            "title": f"{WORDS[kind][i % 5]} {i}",
            "category": kind,
            "year": str(2000 + i),
        }
        for kind in KINDS
        for i in range(each)
    ]


def taken(people: int = 40, each: int = 10, seed: int = 0) -> list[dict[str, str]]:
    """Everybody takes five to seven things of their kind and one of the other, in some order."""
    drawn = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        kind, other = KINDS if person % 2 else KINDS[::-1]
        own = drawn.permutation(each - 1)[: 5 + person % 3]
        chosen = [f"{kind[0]}{i}" for i in own] + [f"{other[0]}{drawn.integers(each - 1)}"]
        for place, item in enumerate(drawn.permutation(chosen)):
            rows.append(
                {"user_id": f"person-{person}", "item_id": str(item), "timestamp": str(place)}
            )
    return rows


SOURCE = {"interactions": taken(), "items": things()}


@pytest.fixture(scope="session")
def shop() -> Reading:
    return reading.learned(SOURCE, Columns())
