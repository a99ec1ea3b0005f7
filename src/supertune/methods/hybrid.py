"""`sequential_ease` whose weights between items reach items that nobody took, by their contents.

Columns of the weights of items that people took are lent to items that are described alike, by
ridge regression from text, categories and year; a new item in a history lends its own weight to
the items that it is like. So items need no interactions, to be recommended or to recommend by.

Shapes: n people, I items, w of them known, d numbers that describe an item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from supertune.contracts import FloatArray
from supertune.methods import _items
from supertune.methods._items import Lending
from supertune.methods._later import LaterOptions, Maps, learnt_maps
from supertune.methods._recommending import Learnt, RankingMethod, Scorer, Seen
from supertune.methods.ease import cubed
from supertune.methods.sequential_ease import kept, revived


class HybridOptions(LaterOptions):
    """Keys of ``hybrid``."""

    content_strength: float = Field(
        5.0, gt=0, description="L2 penalty on what descriptions say of items"
    )


@dataclass(frozen=True, eq=False)
class Reaching:
    """Both maps between items that people took, and what they lend to the others.

    Attributes:
        lent: from known items to descriptions.
        descriptions: (I, d) float16.
    """

    maps: Maps
    lent: Lending
    descriptions: FloatArray

    @property
    def parameters(self) -> int:
        return self.maps.parameters + int(self.lent.map.size)

    def scores(self, seen: Seen) -> FloatArray:
        size, known = len(self.descriptions), self.maps.related
        new = _items.others(known, size)
        described = self.descriptions[new].astype(np.float32)
        borrowed = None
        if len(new) and (found := seen.matrix[:, new]).nnz:
            borrowed = found @ described @ self.lent.map.T
        told = self.maps.scores(seen, borrowed)
        found = np.empty((len(seen), size), dtype=np.float32)
        found[:, known] = told.both
        middle = told.plain.mean(axis=1, keepdims=True)
        spread = np.maximum(told.plain.std(axis=1, keepdims=True), 1e-9) / told.size[:, None]
        found[:, new] = (self.lent.to(told.plain, described) - middle) / spread
        return found

    def vectors(self) -> FloatArray:
        return np.asarray(self.descriptions, dtype=np.float32)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {**kept(self.maps), "lent": self.lent.map, "descriptions": self.descriptions}


def _learn(learnt: Learnt, options: HybridOptions) -> Scorer:
    descriptions = _items.described(learnt).astype(np.float16)
    maps = learnt_maps(learnt, options, descriptions)
    known = descriptions[maps.related].astype(np.float64)
    return Reaching(maps, _items.lending(known, options.content_strength), descriptions)


def _revive(arrays: Mapping[str, npt.NDArray[Any]]) -> Scorer:
    return Reaching(revived(arrays), Lending(arrays["lent"]), arrays["descriptions"])


METHOD = RankingMethod(
    name="hybrid",
    summary="Linear maps between items, lent to items that nobody took by what they are",
    reference="Steck 2019, arXiv:1905.03375; after Gantner et al. 2010",
    simplicity=24,
    learn=_learn,
    revive=_revive,
    options=HybridOptions,
    cost=lambda options, people, items: 25 * cubed(items),
    needs=frozenset({"features"}),
)
