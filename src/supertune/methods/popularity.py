"""What most people took, the same for everybody: the list that costs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from supertune.contracts import FloatArray, Options
from supertune.methods._recommending import Learnt, RankingMethod, Scorer, Seen

DAY = 86_400.0


class PopularityOptions(Options):
    """Keys of ``popularity``."""

    half_life: float | None = Field(
        None, gt=0, description="days after which an interaction counts half; None: all alike"
    )


@dataclass(frozen=True, eq=False)
class Counts:
    """How often each item (I,) was taken."""

    counts: FloatArray
    parameters: int = 0

    def scores(self, seen: Seen) -> FloatArray:
        return np.tile(self.counts, (len(seen), 1))

    def vectors(self) -> FloatArray:
        """(I, 1): all items are alike."""
        return np.ones((len(self.counts), 1))

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {"counts": self.counts}


def _learn(learnt: Learnt, options: PopularityOptions) -> Scorer:
    items = np.concatenate([one.items for one in learnt.histories]).astype(np.int64)
    weights = None
    if options.half_life is not None:
        times = np.concatenate([one.times for one in learnt.histories])
        latest = np.nanmax(times) if np.isfinite(times).any() else 0.0
        age = np.where(np.isfinite(times), latest - times, 0.0) / DAY
        weights = 0.5 ** (age / options.half_life)
    counts = np.bincount(items, weights, minlength=len(learnt.catalogue))
    return Counts(counts.astype(np.float64))


METHOD = RankingMethod(
    name="popularity",
    summary="What most people took, the same for everybody; the list that costs nothing",
    reference="Cremonesi, Koren and Turrin 2010",
    simplicity=1,
    learn=_learn,
    revive=lambda arrays: Counts(arrays["counts"]),
    options=PopularityOptions,
)
