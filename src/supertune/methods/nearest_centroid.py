"""The label whose rows lie nearest: one mean of unit vectors a label, nothing else is learned.

Similarities, times a temperature, are the log-likelihoods of von Mises-Fisher distributions of
one width (Banerjee et al. 2005), to which the log of each label's share of the rows is added. The
temperature is chosen by the leave-one-out log loss, for which a row's own mean is taken without
it. Where a row may have several labels, each compares its rows with all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from supertune.contracts import (
    Contribution,
    FloatArray,
    HeadSpec,
    Input,
    IntArray,
    Lens,
    Options,
    Problem,
    State,
)
from supertune.methods import _attributing
from supertune.methods._views import VIEWS, widened
from supertune.methods.linear_probe import one_hot

ABSENT = -1e3  # what a label without any row scores


class NearestCentroidOptions(Options):
    """Keys of ``nearest_centroid``."""

    temperatures: tuple[float, ...] = Field(
        (4.0, 8.0, 16.0, 32.0, 64.0), min_length=1, description="tried by leaving one row out"
    )
    views: int = VIEWS


@dataclass(frozen=True, eq=False)
class Centroids:
    """logits = unit features @ weight + bias; weight (d, C), bias (C,), both float32."""

    weight: FloatArray
    bias: FloatArray

    @property
    def tuned_parameters(self) -> int:
        return int(self.weight.size + self.bias.size)

    def apply(self, features: FloatArray) -> FloatArray:
        """(n, C) from (n, d)."""
        return np.asarray(_unit(features) @ self.weight + self.bias, dtype=np.float64)

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        return self.apply(lens.features(inputs, prediction=True))

    def ways(self, lens: Lens | None) -> tuple[str, ...]:
        """See `supertune.contracts.Explains`."""
        return _attributing.ways(lens)

    def contributions(
        self, inputs: Sequence[Input], contrasts: FloatArray, lens: Lens | None, way: str
    ) -> list[Contribution]:
        assert lens is not None
        weights, offsets = contrasts @ self.weight.T, contrasts @ self.bias
        return _attributing.shares(inputs, weights, offsets, lens, way, unit=True)

    def state(self) -> State:
        return State({"centroids.weight": self.weight, "centroids.bias": self.bias})


class NearestCentroid:
    """See `supertune.contracts.FoldSolver`."""

    name = "nearest_centroid"
    summary = "The label whose rows' mean is nearest on frozen features, closed form"
    reference = "Rocchio 1971; Snell et al. 2017, arXiv:1703.05175"
    needs = frozenset({"features"})
    objectives = frozenset({"classify"})
    simplicity = 15
    calibrates = True
    options: type[Options] = NearestCentroidOptions

    def fit(self, problem: Problem, options: NearestCentroidOptions) -> Centroids:
        return self._solved(problem, options, np.arange(len(problem.examples)))

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Centroids:
        return Centroids(state.arrays["centroids.weight"], state.arrays["centroids.bias"])

    def out_of_fold(
        self,
        problem: Problem,
        options: NearestCentroidOptions,
        folds: Sequence[tuple[IntArray, IntArray]],
    ) -> list[FloatArray]:
        assert problem.lens is not None
        features = problem.lens.features(problem.examples.inputs)
        return [self._solved(problem, options, a).apply(features[b]) for a, b in folds]

    def _solved(
        self, problem: Problem, options: NearestCentroidOptions, rows: IntArray
    ) -> Centroids:
        examples, head = problem.examples.take(rows), problem.head
        assert problem.lens is not None
        assert examples.targets is not None
        given = np.ones(len(rows)) if examples.weights is None else examples.weights
        wide = widened(replace(problem, examples=examples), options.views)
        unit = _unit(problem.lens.features(wide.examples.inputs)).astype(np.float64)
        seen = unit.reshape(len(rows), wide.together, -1)
        targets = one_hot(examples.targets, head.outputs)
        means = _Means(seen, targets, np.asarray(given, dtype=np.float64), head.multi_label)
        heat = means.temperature(options.temperatures)
        weight, bias = means.centroids()
        return Centroids((weight * heat).astype(np.float32), bias.astype(np.float32))


class _Means:
    """Weighted sums of unit rows over the labels of targets (n, C). Of ``seen`` (n, views, d) each
    row counts by the mean of its views, and is judged by the first."""

    def __init__(
        self, seen: FloatArray, targets: FloatArray, weights: FloatArray, multi_label: bool
    ) -> None:
        self.first, self.mean = seen[:, 0], seen.mean(axis=1)
        self.targets, self.weights = targets, weights
        self.multi_label = multi_label
        self.yes = (targets * weights[:, None]).T
        self.no = ((1 - targets) * weights[:, None]).T

    def centroids(self) -> tuple[FloatArray, FloatArray]:
        """weight (d, C) before any temperature, and bias (C,)."""
        weight = _unit(self.yes @ self.mean).T
        if self.multi_label:
            weight = weight - _unit(self.no @ self.mean).T
        return weight, self.prior()

    def prior(self) -> FloatArray:
        """(C,) log shares of the labels; of several labels, log odds."""
        size = self.yes.sum(axis=1)
        rest = self.no.sum(axis=1) if self.multi_label else self.weights.sum()
        with np.errstate(divide="ignore"):
            return np.asarray(np.clip(np.log(size) - np.log(rest), ABSENT, -ABSENT))

    def temperature(self, tried: Sequence[float]) -> float:
        """The one of least leave-one-out log loss, with one imaginary row that is undecided."""
        scores, prior = self._left_out(), self.prior()
        doubt, labels = 1.0 / (1 + len(scores)), scores.shape[1]
        even = 0.5 if self.multi_label else 1.0 / labels
        wanted = (1 - doubt) * self.targets + doubt * even
        losses = [
            self.weights @ self._log_loss(scores * heat + prior, wanted) for heat in sorted(tried)
        ]
        return sorted(tried)[int(np.argmin(losses))]

    def _left_out(self) -> FloatArray:
        """(n, C) similarities of each row to means that it is no part of."""
        scores = self._without(self.yes)
        return scores - self._without(self.no) if self.multi_label else scores

    def _without(self, share: FloatArray) -> FloatArray:
        sums = share @ self.mean  # (C, d)
        own = share.T  # (n, C): how much of the row is in each sum
        along = self.first @ sums.T - own * (self.first * self.mean).sum(axis=1)[:, None]
        part = 2 * own * (self.mean @ sums.T) - own**2 * (self.mean**2).sum(axis=1)[:, None]
        length = np.sqrt(np.maximum((sums**2).sum(axis=1) - part, 1e-12))
        found = along / np.maximum(length, 1e-6)
        rest = share.sum(axis=1) - own
        return np.asarray(np.where(rest > 1e-9, found, 0.0))

    def _log_loss(self, logits: FloatArray, wanted: FloatArray) -> FloatArray:
        """(n,) from logits and wanted shares (n, C)."""
        if self.multi_label:
            return np.asarray((np.logaddexp(0.0, logits) - wanted * logits).sum(axis=1))
        norm = np.logaddexp.reduce(logits, axis=1)
        return np.asarray(norm - (wanted * logits).sum(axis=1))


def _unit(vectors: FloatArray) -> FloatArray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12))


METHOD = NearestCentroid()
