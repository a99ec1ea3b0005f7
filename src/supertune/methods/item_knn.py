"""Items that were taken by the same people: cosine of their columns, the nearest of each item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from supertune.contracts import FloatArray, Options
from supertune.methods._recommending import Learnt, RankingMethod, Scorer, Seen

BLOCK = 2048  # items whose neighbours are found at a time


class ItemKnnOptions(Options):
    """Keys of ``item_knn``."""

    ranges: ClassVar[Mapping[str, float]] = {"neighbours": 4.0, "shrinkage": 4.0}
    neighbours: int = Field(400, ge=1, description="items that each is like")
    shrinkage: float = Field(
        10.0, ge=0, description="people by whom a likeness of few people is drawn to 0"
    )


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The likeness of items as a sparse (I, I) matrix in three arrays."""

    data: FloatArray
    indices: npt.NDArray[Any]
    ends: npt.NDArray[Any]

    @property
    def parameters(self) -> int:
        return len(self.data)

    @property
    def matrix(self) -> Any:
        from scipy.sparse import csr_matrix

        size = len(self.ends) - 1
        return csr_matrix((self.data, self.indices, self.ends), (size, size))

    def scores(self, seen: Seen) -> FloatArray:
        return np.asarray((seen.matrix @ self.matrix.T).toarray())

    def vectors(self) -> FloatArray:
        return np.asarray((self.matrix + self.matrix.T).toarray())

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {"data": self.data, "indices": self.indices, "ends": self.ends}


def _learn(learnt: Learnt, options: ItemKnnOptions) -> Scorer:
    """Row i holds the items that i is most like; so much of i is expected of who has them."""
    taken = learnt.matrix.tocsc()
    count = np.asarray(taken.sum(axis=0), dtype=np.float64).ravel()
    parts, size = [], taken.shape[1]
    for start in range(0, size, BLOCK):
        both = (taken[:, start : start + BLOCK].T @ taken).toarray().astype(np.float64)
        own = count[start : start + BLOCK, None]
        likeness = both / np.maximum(np.sqrt(own * count) + options.shrinkage, 1e-12)
        likeness[np.arange(len(both)), start + np.arange(len(both))] = 0.0
        parts.append(_nearest(likeness, min(options.neighbours, size - 1)))
    data, indices, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    ends = np.concatenate([[0], np.cumsum(counts)])
    return Neighbours(data.astype(np.float32), indices.astype(np.int32), ends.astype(np.int32))


def _nearest(likeness: FloatArray, most: int) -> tuple[Any, Any, Any]:
    """The largest of each row, their columns, and how many of each row are above 0."""
    found = np.sort(np.argpartition(-likeness, most - 1, axis=1)[:, :most], axis=1)
    values = np.take_along_axis(likeness, found, axis=1)
    held = values > 0
    return values[held], found[held], held.sum(axis=1)


METHOD = RankingMethod(
    name="item_knn",
    summary="Items that the same people took, by cosine",
    reference="Sarwar et al. 2001; shrunk as in Koren 2008",
    simplicity=8,
    learn=_learn,
    revive=lambda arrays: Neighbours(arrays["data"], arrays["indices"], arrays["ends"]),
    options=ItemKnnOptions,
)
