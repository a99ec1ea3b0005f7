"""Each item as a linear sum of the others, in closed form (EASE, arXiv:1905.03375)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from supertune.contracts import FloatArray, IntArray, Options
from supertune.methods._recommending import Learnt, RankingMethod, Scorer, Seen

CUBE = 6e-11  # seconds of a closed form an item cubed
MOST = 12_000  # items that are related to one another; their square is held three times


class EaseOptions(Options):
    """Keys of ``ease``."""

    ranges: ClassVar[Mapping[str, float]] = {"strength": 4.0}
    strength: float = Field(200.0, gt=0, description="L2 penalty on the weights between items")


@dataclass(frozen=True, eq=False)
class Weights:
    """What each of the items that are related (row) says of every other (column): (w, w), 0 on
    the diagonal; ``related`` (w,) are their places among all I."""

    between: FloatArray
    related: IntArray
    size: int

    @property
    def parameters(self) -> int:
        return int(self.between.size - len(self.between))

    def scores(self, seen: Seen) -> FloatArray:
        found = np.zeros((len(seen), self.size), dtype=np.float32)
        found[:, self.related] = seen.matrix[:, self.related] @ self.between
        return found

    def vectors(self) -> FloatArray:
        found = np.zeros((self.size, len(self.related)), dtype=np.float32)
        found[self.related] = self.between + self.between.T
        return found

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        size = np.array([self.size])
        return {"between": self.between, "related": self.related, "size": size}


def cubed(items: int) -> float:
    """Seconds of one closed form between so many items."""
    return CUBE * float(min(items, MOST)) ** 3


def often(seen: Seen) -> IntArray:
    """(w,) places of the items that somebody took, of `MOST` the most frequent ones."""
    count = np.bincount(seen.items, minlength=seen.size)
    order = np.argsort(-count, kind="stable")[:MOST]
    return np.sort(order[count[order] > 0])


def solved(gram: FloatArray, strength: float) -> FloatArray:
    """(I, I) weights that minimise squared error + ``strength`` times their squares, 0 on the
    diagonal, from the Gram matrix (I, I) of people's items."""
    from scipy.linalg import cho_factor, cho_solve

    size = len(gram)
    regular = gram + strength * np.eye(size, dtype=gram.dtype)
    inverse = cho_solve(cho_factor(regular), np.eye(size, dtype=gram.dtype))
    weights = -inverse / np.diag(inverse)
    weights[np.arange(size), np.arange(size)] = 0.0
    return np.asarray(weights)


def _learn(learnt: Learnt, options: EaseOptions) -> Scorer:
    related = often(learnt.seen)
    taken = learnt.seen.matrix[:, related]
    gram = (taken.T @ taken).toarray().astype(np.float64)
    between = solved(gram, options.strength).astype(np.float32)
    return Weights(between, related, learnt.seen.size)


METHOD = RankingMethod(
    name="ease",
    summary="Each item as a linear sum of the others, in closed form",
    reference="Steck 2019, arXiv:1905.03375",
    simplicity=9,
    learn=_learn,
    revive=lambda arrays: Weights(arrays["between"], arrays["related"], int(arrays["size"][0])),
    options=EaseOptions,
    cost=lambda options, people, items: cubed(items),
)
