"""The class shares of the labelled rows, whatever the input: the score that costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supertune.contracts import FloatArray, HeadSpec, Input, Lens, Options, Problem, State


@dataclass(frozen=True, eq=False)
class Shares:
    """The same logits (C,) for every row."""

    prior: FloatArray
    tuned_parameters: int = 0

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        return np.tile(np.asarray(self.prior, dtype=np.float64), (len(inputs), 1))

    def state(self) -> State:
        return State({"prior": self.prior})


class Majority:
    """See `supertune.contracts.Solver`."""

    name = "majority"
    summary = "Always the most frequent class; the floor under every score"
    reference = "Holte 1993 calls it 0R"
    needs: frozenset[str] = frozenset()
    objectives = frozenset({"classify"})
    simplicity = 0
    options: type[Options] = Options

    def fit(self, problem: Problem, options: Options) -> Shares:
        targets = problem.examples.targets
        assert targets is not None
        given = problem.examples.weights
        weights = np.ones(len(targets)) if given is None else given
        if problem.head.multi_label:
            share = (weights @ targets + 0.5) / (weights.sum() + 1.0)
            return Shares(np.log(share / (1.0 - share)))
        counts = np.bincount(targets, weights=weights, minlength=problem.head.outputs) + 0.5
        return Shares(np.log(counts / counts.sum()))

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Shares:
        return Shares(state.arrays["prior"])


METHOD = Majority()
