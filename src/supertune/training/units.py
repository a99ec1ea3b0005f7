"""Values in units of their own, so that one learning rate serves prices and temperatures alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from supertune.contracts import Examples, Problem
from supertune.errors import InputError
from supertune.methods.linear_probe import Head


@dataclass(frozen=True)
class Unit:
    """What was taken off the values of the rows learned from, and what they were divided by."""

    mean: float
    spread: float

    @classmethod
    def of(cls, examples: Examples) -> Unit:
        """Mean and standard deviation, weighted.

        Raises:
            InputError: ``values_all_same``.
        """
        targets = examples.targets
        assert targets is not None
        mean = float(np.average(targets, weights=examples.weights))
        spread = float(np.sqrt(np.average((targets - mean) ** 2, weights=examples.weights)))
        if spread <= 1e-12 * abs(mean):
            raise InputError(
                "values_all_same",
                "All rows to learn from have the same value, so nothing can be tuned on them.",
                received=f"{len(examples)} rows with {mean:g}",
                allowed="rows that differ in their value",
                next="Give rows with other values, or answer with the mean: --method mean.",
            )
        return cls(mean, spread)

    def standardised(self, problem: Problem) -> Problem:
        examples = problem.examples
        assert examples.targets is not None
        targets = (examples.targets - self.mean) / self.spread
        return replace(problem, examples=replace(examples, targets=targets))

    def restored(self, examples: Examples) -> Examples:
        """Rows of a standardised problem as they were."""
        assert examples.targets is not None
        return replace(examples, targets=examples.targets * self.spread + self.mean)

    def head(self, found: Any) -> Head:
        """A head for standardised values as one for the values themselves, in float64."""
        weight, bias = (np.asarray(a, dtype=np.float64) for a in (found.weight, found.bias))
        return Head(weight * self.spread, bias * self.spread + self.mean)
