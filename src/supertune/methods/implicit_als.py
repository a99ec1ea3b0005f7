"""People and items as vectors whose products are what people took: alternating least squares.

What was taken counts 1 + ``confidence`` times as much as what was not (Hu, Koren and Volinsky
2008). A person is solved for anew from their items, so that nobody has to be in the model.

Shapes: n people, I items, k factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from supertune.contracts import FloatArray, Options
from supertune.limits import check
from supertune.methods._recommending import Learnt, RankingMethod, Scorer, Seen


class AlsOptions(Options):
    """Keys of ``implicit_als``."""

    ranges: ClassVar[Mapping[str, float]] = {"factors": 2.0, "strength": 4.0}
    factors: int = Field(32, ge=1, le=1024)
    strength: float = Field(5.0, gt=0, description="L2 penalty on every vector")
    confidence: float = Field(5.0, gt=0, description="how much more what was taken counts")
    rounds: int = Field(8, ge=1, le=200)


@dataclass(frozen=True, eq=False)
class Factors:
    """Vectors of items (I, k), by which people are solved for."""

    items: FloatArray
    strength: float
    confidence: float

    @property
    def parameters(self) -> int:
        return int(self.items.size)

    def scores(self, seen: Seen) -> FloatArray:
        return np.asarray(self.people(seen).astype(self.items.dtype) @ self.items.T)

    def people(self, seen: Seen) -> FloatArray:
        """(n, k)."""
        return _each(seen.matrix, self.items, self.shared, self.confidence)

    @cached_property
    def shared(self) -> FloatArray:
        """(k, k) what is the same for everybody; of a million items not to be computed twice."""
        return _shared(self.items, self.strength)

    def vectors(self) -> FloatArray:
        return self.items

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {"items": self.items, "penalties": np.array([self.strength, self.confidence])}


def factored(taken: Any, options: AlsOptions, seed: int) -> tuple[FloatArray, FloatArray]:
    """Vectors of people (n, k) and items (I, k) of a sparse matrix (n, I)."""
    rng = np.random.default_rng(seed)
    items: FloatArray = rng.normal(0, 0.1, (taken.shape[1], options.factors))
    people: FloatArray = np.zeros((taken.shape[0], options.factors))
    turned = taken.T.tocsr()
    for _ in range(options.rounds):
        people = solved(taken, items, options.strength, options.confidence)
        items = solved(turned, people, options.strength, options.confidence)
    return people, items


def solved(taken: Any, others: FloatArray, strength: float, confidence: float) -> FloatArray:
    """(n, k) vectors of the rows of a sparse matrix (n, I), given those of its columns (I, k)."""
    return _each(taken, others, _shared(others, strength), confidence)


def _shared(others: FloatArray, strength: float) -> FloatArray:
    wide = np.asarray(others, dtype=np.float64)
    return np.asarray(wide.T @ wide + strength * np.eye(wide.shape[1]))


def _each(taken: Any, others: FloatArray, shared: FloatArray, confidence: float) -> FloatArray:
    found = np.zeros((taken.shape[0], len(shared)))
    for row in range(taken.shape[0]):
        if row % 1024 == 0:
            check()
        own = others[taken.indices[taken.indptr[row] : taken.indptr[row + 1]]]
        if len(own):
            own = own.astype(np.float64)
            inner = shared + confidence * own.T @ own
            found[row] = np.linalg.solve(inner, (1 + confidence) * own.sum(axis=0))
    return found


def _learn(learnt: Learnt, options: AlsOptions) -> Scorer:
    _, items = factored(learnt.matrix, options, learnt.seed)
    return Factors(items.astype(np.float32), options.strength, options.confidence)


METHOD = RankingMethod(
    name="implicit_als",
    summary="People and items as vectors whose products are what people took",
    reference="Hu, Koren and Volinsky 2008",
    simplicity=13,
    learn=_learn,
    revive=lambda arrays: Factors(arrays["items"], *arrays["penalties"].tolist()),
    options=AlsOptions,
)
