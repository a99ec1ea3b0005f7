"""Whether the words that are named are those that the model went by.

Deletion: the words named first are taken away, and the answer should weaken. Insertion: they alone
are left, and the answer should be there already. Both are means over shares of the words (those of
DeYoung et al. 2020, arXiv:1911.03429), and stand beside words taken at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from supertune.contracts import FloatArray, IntArray
from supertune.explaining.subject import Question

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
ORDERS = 10


@dataclass(frozen=True)
class Faithfulness:
    """Changes of the answer's strength (a probability, or a value).

    Attributes:
        deletion: how much weaker it is without the words named first.
        insertion: how much stronger those alone make it than a blank input.
        random_deletion, random_insertion: the same of words at random, a mean over orders.
        orders: how many.
    """

    deletion: float
    insertion: float
    random_deletion: float
    random_insertion: float
    orders: int

    @property
    def ratio(self) -> float | None:
        """How many times the drop of random words; None where those change nothing."""
        if self.random_deletion <= 1e-6 * max(1.0, abs(self.deletion)):
            return None
        return self.deletion / self.random_deletion

    @property
    def gain(self) -> float:
        """By how much it beats random words, both curves together: what ways are chosen by."""
        return self.deletion - self.random_deletion + self.insertion - self.random_insertion


def measured(
    question: Question, by_way: dict[str, FloatArray], *, seed: int = 0, orders: int = ORDERS
) -> dict[str, Faithfulness]:
    """Of each way's attributions (P,)."""
    rng = np.random.default_rng([seed, len(question.parts)])
    drawn = [rng.permutation(len(question.parts)) for _ in range(orders)]
    ranked = {way: np.argsort(-shares, kind="stable") for way, shares in by_way.items()}
    every = [*ranked.values(), *drawn]
    steps = counts(len(question.parts))
    parts = question.parts
    asked = [parts.value, parts.only(())]
    for order in every:
        asked += [parts.without(set(order[:count].tolist())) for count in steps]
        asked += [parts.only(order[:count].tolist()) for count in steps]
    strength = question.strength(asked)
    whole, blank, rest = strength[0], strength[1], strength[2:]
    curves = rest.reshape(len(every), 2, len(steps)).mean(axis=2)
    drop, rise = whole - curves[:, 0], curves[:, 1] - blank
    return {
        way: Faithfulness(
            float(drop[place]),
            float(rise[place]),
            float(drop[len(ranked) :].mean()),
            float(rise[len(ranked) :].mean()),
            orders,
        )
        for place, way in enumerate(ranked)
    }


def best(found: dict[str, Faithfulness]) -> str:
    """The most faithful way; of equals the first."""
    return max(found, key=lambda way: found[way].gain)


def counts(parts: int) -> list[int]:
    """How many parts each share comes to: one at least."""
    return [max(1, ceil(share * parts)) for share in SHARES]


def order(shares: FloatArray) -> IntArray:
    """Parts from the one that adds most."""
    return np.argsort(-shares, kind="stable")


def mean_ratio(found: Sequence[Faithfulness]) -> float:
    """How many times random's drop, over several inputs: the ratio of the means."""
    own = sum(one.deletion for one in found)
    return own / max(sum(one.random_deletion for one in found), 1e-12)
