"""A linear model a person over what items are, in closed form: 5 interactions suffice.

Each person's weights minimise squared error over all items, 1 for what they took and 0 for the
rest, what they took counting more. The part that all people share is inverted once; a person
adds a few rows to it (Woodbury's identity), so that one is learned in a millisecond and kept in
d numbers.

Shapes: n people, I items, d numbers that describe an item, m items that a person took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from supertune.contracts import FloatArray, Options
from supertune.methods import _items
from supertune.methods._recommending import Learnt, RankingMethod, Scorer, Seen


class UserRidgeOptions(Options):
    """Keys of ``user_ridge``."""

    ranges: ClassVar[Mapping[str, float]] = {"strength": 4.0, "confidence": 4.0}
    strength: float = Field(10.0, gt=0, description="L2 penalty on a person's weights")
    confidence: float = Field(20.0, gt=0, description="how much more what was taken counts")
    popularity: float = Field(
        1.0, ge=0, description="weight of how often an item was taken, as one more description"
    )


@dataclass(frozen=True, eq=False)
class Linear:
    """Items as rows (I, d), float16, and what they share: the inverse (d, d)."""

    rows: FloatArray
    inverse: FloatArray
    confidence: float
    parameters: int = 0

    def scores(self, seen: Seen) -> FloatArray:
        return np.asarray(self.people(seen) @ self.rows.astype(np.float32).T)

    def people(self, seen: Seen) -> FloatArray:
        """(n, d) weights of each person."""
        found = np.zeros((len(seen), self.rows.shape[1]), dtype=np.float32)
        for i, (end, length) in enumerate(zip(seen.ends, seen.lengths, strict=True)):
            found[i] = self.person(seen.items[end - length : end])
        return found

    def person(self, items: npt.NDArray[Any]) -> FloatArray:
        """(d,) weights of somebody who took these items."""
        own = self.rows[items].astype(np.float32)
        if len(own) >= own.shape[1]:  # fewer unknowns than rows
            inner = np.linalg.inv(self.inverse) + self.confidence * own.T @ own
            return np.asarray(np.linalg.solve(inner, (1 + self.confidence) * own.sum(axis=0)))
        spread = self.inverse @ own.T
        inner = np.eye(len(own), dtype=np.float32) / self.confidence + own @ spread
        wanted = (1 + self.confidence) * spread.sum(axis=1)
        return np.asarray(wanted - spread @ np.linalg.solve(inner, own @ wanted))

    def vectors(self) -> FloatArray:
        return np.asarray(self.rows, dtype=np.float32)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        confidence = np.array([self.confidence])
        return {"rows": self.rows, "inverse": self.inverse, "confidence": confidence}


def _learn(learnt: Learnt, options: UserRidgeOptions) -> Scorer:
    count = np.bincount(learnt.seen.items, minlength=learnt.seen.size)
    common = np.log1p(count)[:, None] / max(1e-12, float(np.log1p(count).max()))
    one = np.ones((learnt.seen.size, 1))
    parts = [_items.described(learnt), options.popularity * common, one]
    rows = np.concatenate(parts, axis=1).astype(np.float16)
    wide = rows.astype(np.float64)
    inverse = np.linalg.inv(wide.T @ wide + options.strength * np.eye(wide.shape[1]))
    return Linear(rows, inverse.astype(np.float32), options.confidence)


METHOD = RankingMethod(
    name="user_ridge",
    summary="A linear model a person over what items are, in closed form",
    reference="Hoerl and Kennard 1970; weighted as in Hu, Koren and Volinsky 2008",
    simplicity=25,
    learn=_learn,
    revive=lambda arrays: Linear(arrays["rows"], arrays["inverse"], float(arrays["confidence"][0])),
    options=UserRidgeOptions,
    needs=frozenset({"features"}),
)
