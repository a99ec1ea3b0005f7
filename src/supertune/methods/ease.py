"""Each item as a linear sum of the others, in closed form (EASE, arXiv:1905.03375)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from supertune.contracts import FloatArray, Options
from supertune.errors import InputError
from supertune.methods._recommending import Learnt, RankingMethod, Scorer

MOST = 30_000  # items; their square is held twice


class EaseOptions(Options):
    """Keys of ``ease``."""

    ranges: ClassVar[Mapping[str, float]] = {"strength": 4.0}
    strength: float = Field(300.0, gt=0, description="L2 penalty on the weights between items")


@dataclass(frozen=True, eq=False)
class Weights:
    """What each item (row) says of every other (column): (I, I), 0 on the diagonal."""

    between: FloatArray

    @property
    def parameters(self) -> int:
        return int(self.between.size - len(self.between))

    def scores(self, matrix: Any, content: FloatArray | None) -> FloatArray:
        return np.asarray(matrix @ self.between)

    def vectors(self, content: FloatArray | None) -> FloatArray:
        return np.asarray(self.between + self.between.T)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {"between": self.between}


def solved(gram: FloatArray, strength: float) -> FloatArray:
    """(I, I) weights that minimise squared error + ``strength`` times their squares, 0 on the
    diagonal, from the Gram matrix (I, I) of people's items."""
    from scipy.linalg import cho_factor, cho_solve

    size = len(gram)
    regular = gram + strength * np.eye(size, dtype=gram.dtype)
    inverse = cho_solve(cho_factor(regular, overwrite_a=True), np.eye(size, dtype=gram.dtype))
    weights = -inverse / np.diag(inverse)
    weights[np.arange(size), np.arange(size)] = 0.0
    return np.asarray(weights)


def check_size(items: int) -> None:
    """Raises: InputError ``too_many_items``."""
    if items > MOST:
        raise InputError(
            "too_many_items",
            "The square of so many items does not fit.",
            received=f"{items:,} items",
            allowed=f"{MOST:,} items",
            next="Take --method tuned_two_tower or item_knn.",
        )


def _learn(learnt: Learnt, options: EaseOptions) -> Scorer:
    check_size(len(learnt.catalogue))
    gram = (learnt.matrix.T @ learnt.matrix).toarray().astype(np.float64)
    return Weights(solved(gram, options.strength).astype(np.float32))


METHOD = RankingMethod(
    name="ease",
    summary="Each item as a linear sum of the others, in closed form",
    reference="Steck 2019, arXiv:1905.03375",
    simplicity=3,
    learn=_learn,
    revive=lambda arrays: Weights(arrays["between"]),
    options=EaseOptions,
)
