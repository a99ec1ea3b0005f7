"""EASE over recent items, and what came later for others who began alike; no backbone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray
from supertune.methods._later import LaterOptions, Maps, learnt_maps
from supertune.methods._recommending import Learnt, RankingMethod, Scorer, Seen
from supertune.methods.ease import cubed


@dataclass(frozen=True, eq=False)
class Later:
    """See `Maps`; items that nobody took come last."""

    maps: Maps
    size: int

    @property
    def parameters(self) -> int:
        return self.maps.parameters

    def scores(self, seen: Seen) -> FloatArray:
        found, known = np.zeros((len(seen), self.size)), self.maps.scores(seen).both
        found[:] = known.min(axis=1, initial=0.0)[:, None]
        found[:, self.maps.related] = known
        return found

    def vectors(self) -> FloatArray:
        found = np.zeros((self.size, len(self.maps.related)), dtype=np.float32)
        found[self.maps.related] = self.maps.between + self.maps.between.T
        return found

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {**kept(self.maps), "size": np.array([self.size])}


def kept(maps: Maps) -> dict[str, npt.NDArray[Any]]:
    """Both maps as arrays of a file."""
    weights = np.array([maps.half_life, maps.recency, maps.balance])
    return {
        "between": maps.between,
        "after": maps.after,
        "related": maps.related,
        "weights": weights,
    }


def revived(arrays: Mapping[str, npt.NDArray[Any]]) -> Maps:
    """The inverse of `kept`."""
    weights = arrays["weights"].tolist()
    return Maps(arrays["between"], arrays["after"], arrays["related"], *weights)


def _learn(learnt: Learnt, options: LaterOptions) -> Scorer:
    return Later(learnt_maps(learnt, options), learnt.seen.size)


METHOD = RankingMethod(
    name="sequential_ease",
    summary="EASE over recent items, and what came later for others who began alike",
    reference="Steck 2019, arXiv:1905.03375; after Choi et al. 2021, arXiv:2103.16104",
    simplicity=14,
    learn=_learn,
    revive=lambda arrays: Later(revived(arrays), int(arrays["size"][0])),
    options=LaterOptions,
    cost=lambda options, people, items: 20 * cubed(items),
)
