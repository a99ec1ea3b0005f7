"""Two towers over a frozen item trunk, trained: what an item is, and what a person's items say.

An item's vector is a low-rank map of its description plus a residual of its own, which counts
n / (n + shrink) for an item that n people took: an item that nobody took is what its description
says. Part of the items go without their residual at each step, so that the map serves these too
(after DropoutNet, Volkovs et al. 2017). A person is their items weighed by attention with a learned
weight of age. Beginnings of histories predict what came later, by softmax over all items that
somebody took; over a corrected sample of them where they are many.

Shapes: n people, I items, w of them known, d numbers that describe an item, k of a vector.
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

PASS = 1e-7  # seconds of a person and an item in one pass


class TwoTowerOptions(Options):
    """Keys of ``tuned_two_tower``."""

    ranges: ClassVar[Mapping[str, float]] = {"learning_rate": 3.0}
    factors: int = Field(64, ge=1, le=1024, description="numbers of an item's and person's vector")
    epochs: int = Field(80, ge=1, le=10_000, description="passes over the people")
    least_steps: int = Field(300, ge=1, description="steps at least, where people are few")
    learning_rate: float = Field(0.005, gt=0, description="of Adam, falling to 0")
    shrink: float = Field(
        3.0, ge=0, description="people who took an item at which its own residual counts half"
    )
    without: float = Field(
        0.2, ge=0, lt=1, description="share of items that go without their residual at each step"
    )
    dropout: float = Field(0.3, ge=0, lt=1, description="of the numbers of a person's vector")
    forget: float = Field(0.2, ge=0, lt=1, description="share of a history left out at each step")


@dataclass(frozen=True, eq=False)
class Towers:
    """Both towers with their maps carried out.

    Attributes:
        read: (I, k) float16, of an item in a history.
        listed: (I, k) float16, of an item that is ranked.
        bias: (I,) how often an item is taken whoever asks.
        attention: (k, 2) of two heads.
        age: (L, 2) their weight of the last item, the one before it ...
        mix: (2 k, k) from both heads to a person.
        parameters: numbers that were tuned.
    """

    read: FloatArray
    listed: FloatArray
    bias: FloatArray
    attention: FloatArray
    age: FloatArray
    mix: FloatArray
    parameters: int

    def scores(self, seen: Seen) -> FloatArray:
        listed = self.listed.astype(np.float32)
        return np.asarray(self.people(seen) @ listed.T + self.bias)

    def people(self, seen: Seen) -> FloatArray:
        """(n, k) of each person; zeros of whom nothing is known."""
        found = np.zeros((len(seen), len(self.mix)), dtype=np.float32)
        for i, (end, length) in enumerate(zip(seen.ends, seen.lengths, strict=True)):
            if length:
                last = seen.items[max(end - length, end - len(self.age)) : end][::-1]
                keys = self.read[last].astype(np.float32)
                logits = keys @ self.attention + seen.ordered[i] * self.age[: len(last)]
                weight = np.exp(logits - logits.max(axis=0))
                found[i] = ((weight / weight.sum(axis=0)).T @ keys).ravel()
        return np.asarray(found @ self.mix)

    def vectors(self) -> FloatArray:
        return np.asarray(self.listed, dtype=np.float32)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {
            "read": self.read,
            "listed": self.listed,
            "bias": self.bias,
            "attention": self.attention,
            "age": self.age,
            "mix": self.mix,
            "parameters": np.array([self.parameters]),
        }


def _learn(learnt: Learnt, options: TwoTowerOptions) -> Scorer:
    from supertune.methods import _towers

    described = _items.described(learnt)
    return Towers(**_towers.trained(learnt.seen, described, options, learnt.seed))


def _revive(arrays: Mapping[str, npt.NDArray[Any]]) -> Scorer:
    count = int(arrays["parameters"][0])
    return Towers(**{**arrays, "parameters": count})  # type: ignore[arg-type]


METHOD = RankingMethod(
    name="tuned_two_tower",
    summary="A tuned map of what items are with residuals of their own, histories by attention",
    reference="Covington et al. 2016; Volkovs et al. 2017; Yi et al. 2019",
    simplicity=30,
    learn=_learn,
    revive=_revive,
    options=TwoTowerOptions,
    cost=lambda options, people, items: PASS * options.epochs * people * min(items, 8_000),
    needs=frozenset({"features"}),
)
