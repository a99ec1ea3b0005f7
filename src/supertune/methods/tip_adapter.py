"""A cache of the labelled rows beside the labels' names: similar rows vote for their labels.

The answer of CLIP's names plus alpha times the votes of the rows, each by exp(-beta (1 - cosine)).
Nothing is trained; alpha and beta have the least log loss when each row is judged by the others
alone, which is exact here and sees no row of another fold. With ``fine_tune`` the rows' vectors
are trained afterwards from where they are (Tip-Adapter-F): plain Adam on a closed gradient, no
pass through the backbone.

Shapes: n rows, C labels, d features. K: keys (n, d) of length 1. V: votes (n, C).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import Field

from supertune.contracts import (
    Curve,
    FloatArray,
    HeadSpec,
    Input,
    IntArray,
    Lens,
    Notes,
    Options,
    Problem,
    State,
)
from supertune.methods._unit import unit
from supertune.methods.label_names import BARE, PHRASE, Names, Phrases, log_odds
from supertune.methods.linear_probe import one_hot


class TipAdapterOptions(Options):
    """Keys of ``tip_adapter``."""

    phrase: Phrases = Field(BARE, description=PHRASE)
    alphas: tuple[float, ...] = Field(
        (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0),
        min_length=1,
        description="how much the rows may count beside the names; 0 leaves them out",
    )
    betas: tuple[float, ...] = Field(
        (1.0, 2.0, 3.5, 5.5, 8.0, 12.0), min_length=1, description="how sharp similarity may be"
    )
    fine_tune: bool = Field(False, description="train the rows' vectors afterwards: Tip-Adapter-F")
    epochs: int = Field(20, ge=1, le=1000, description="of fine_tune")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="of fine_tune")
    batch_size: int = Field(256, ge=1, le=4096, description="of fine_tune")


@dataclass(frozen=True, eq=False)
class Cache:
    """``names``' similarities plus alpha x exp(-beta (1 - x K')) V; where a row may have several
    labels also ``bias`` (C,), else (0,)."""

    names: Names
    keys: FloatArray
    votes: FloatArray
    alpha: float
    beta: float
    bias: FloatArray
    losses: tuple[float, ...] = field(default=(), compare=False)

    @property
    def tuned_parameters(self) -> int:
        return int(self.keys.size + self.bias.size) + 2

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        return self.apply(lens.features(inputs, prediction=True))

    def apply(self, features: FloatArray) -> FloatArray:
        """(m, C) from features (m, d)."""
        near = affinity(unit(features) @ self.keys.T, self.beta)
        scores = self.names.similarities(features) + self.alpha * (near @ self.votes)
        return np.asarray(scores + self.bias if self.bias.size else scores)

    def state(self) -> State:
        arrays = {"keys": self.keys, "votes": self.votes, "label_vectors": self.names.vectors}
        arrays["weights"] = np.array([self.alpha, self.beta], dtype=np.float64)
        arrays["bias"] = self.bias
        settings = {"temperature": self.names.temperature, "bias": self.names.bias}
        return State(arrays, settings)

    def notes(self) -> Notes:
        """The loss of each epoch, where anything was trained."""
        points = tuple((float(epoch), loss) for epoch, loss in enumerate(self.losses, start=1))
        return Notes((Curve("loss", "epoch", points),) if points else ())


class TipAdapter:
    """See `supertune.contracts.FoldSolver`."""

    name = "tip_adapter"
    summary = "CLIP: labelled rows vote beside the labels' names; keys trained with fine_tune=true"
    reference = "Zhang et al. 2022, arXiv:2111.03930"
    needs = frozenset({"features", "names", "text_tower"})
    objectives = frozenset({"classify"})
    simplicity = 23
    options: type[Options] = TipAdapterOptions

    def fit(self, problem: Problem, options: TipAdapterOptions) -> Cache:
        names = Names.of(problem, options.phrase)
        return _solved(problem, options, names, problem.features)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Cache:
        arrays, settings = state.arrays, state.settings
        names = Names(arrays["label_vectors"], settings["temperature"], settings["bias"])
        alpha, beta = arrays["weights"].tolist()
        return Cache(names, arrays["keys"], arrays["votes"], alpha, beta, arrays["bias"])

    def out_of_fold(
        self,
        problem: Problem,
        options: TipAdapterOptions,
        folds: Sequence[tuple[IntArray, IntArray]],
    ) -> list[FloatArray]:
        names, features = Names.of(problem, options.phrase), problem.features
        return [
            _solved(problem, options, names, features, train).apply(features[test])
            for train, test in folds
        ]


def affinity(cosines: FloatArray, beta: float) -> FloatArray:
    """exp(-beta (1 - cosine)): 1 for the same direction."""
    return np.asarray(np.exp(-beta * (1.0 - cosines)))


def _solved(
    problem: Problem,
    options: TipAdapterOptions,
    names: Names,
    features: FloatArray,
    rows: IntArray | None = None,
) -> Cache:
    examples, multi = problem.examples, problem.head.multi_label
    if rows is not None:
        examples, features = examples.take(rows), features[rows]
    keys, targets = unit(features), one_hot(examples.targets, problem.head.outputs)
    given = np.ones(len(keys)) if examples.weights is None else examples.weights
    weights = np.asarray(given / np.sum(given), dtype=np.float64)
    base, bias = names.similarities(features), np.zeros(0)
    votes = targets
    if multi:  # a row without the label votes against it, and each label has a threshold
        votes, bias = 2 * targets - 1, log_odds(targets) - base.mean(axis=0)
        base = base + bias
    votes = (votes * np.asarray(given)[:, None]).astype(np.float32)
    alpha, beta = chosen(base, keys, votes, targets, weights, options, multi)
    losses: tuple[float, ...] = ()
    if options.fine_tune and alpha:
        trained = _Keys(keys, votes, base, targets, weights, (alpha, beta), multi)
        keys, losses = trained.descended(options, problem.seed)
    return Cache(names, keys, votes, alpha, beta, bias, losses)


def chosen(
    base: FloatArray,
    keys: FloatArray,
    votes: FloatArray,
    targets: FloatArray,
    weights: FloatArray,
    options: TipAdapterOptions,
    multi_label: bool,
) -> tuple[float, float]:
    """alpha and beta of least leave-one-out log loss; of equal ones the smallest.

    Args:
        base: (n, C) what the names say.
        weights: (n,) of the rows, 1 in all.
    """
    cosines = keys @ keys.T
    best = (np.inf, 0.0, 0.0)
    for beta in sorted(options.betas):
        near = affinity(cosines, beta)
        np.fill_diagonal(near, 0.0)
        voted = near @ votes
        for alpha in sorted(options.alphas):
            loss = float(weights @ _log_loss(base + alpha * voted, targets, multi_label))
            best = min(best, (loss, alpha, beta), key=lambda one: one[0])
    return best[1], best[2]


def _log_loss(logits: FloatArray, targets: FloatArray, multi_label: bool) -> FloatArray:
    """(n,) from (n, C)."""
    if multi_label:
        return np.asarray((np.logaddexp(0.0, logits) - targets * logits).sum(axis=1))
    norm = np.logaddexp.reduce(logits, axis=1)
    return np.asarray(norm - (targets * logits).sum(axis=1))


class _Keys:
    """Keys under training. A row does not vote for itself: otherwise the loss is least where each
    row knows itself alone."""

    def __init__(self, keys: Any, votes: Any, base: Any, targets: Any, weights: Any,
                 sharpness: tuple[float, float], multi_label: bool) -> None:  # fmt: skip
        self.rows, self.keys = keys.astype(np.float64), keys.astype(np.float64)
        self.votes, self.base, self.targets = votes.astype(np.float64), base, targets
        self.weights, (self.alpha, self.beta) = weights, sharpness
        self.multi_label = multi_label

    def descended(
        self, options: TipAdapterOptions, seed: int
    ) -> tuple[FloatArray, tuple[float, ...]]:
        """The keys after all epochs and the loss of each: Adam, its rate falling along a cosine."""
        rng, count = np.random.default_rng(seed), len(self.rows)
        steps = options.epochs * -(-count // options.batch_size)
        first, second = np.zeros_like(self.keys), np.zeros_like(self.keys)
        step, losses = 0, []
        for _ in range(options.epochs):
            order, total = rng.permutation(count), 0.0
            for start in range(0, count, options.batch_size):
                index = order[start : start + options.batch_size]
                loss, gradient = self.gradient(index)
                total += loss * float(self.weights[index].sum())
                first = 0.9 * first + 0.1 * gradient
                second = 0.999 * second + 0.001 * gradient**2
                rate = options.learning_rate * (1 + np.cos(np.pi * step / steps)) / 2
                step += 1
                moved = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
                self.keys = self.keys - rate * moved
            losses.append(total)
        return self.keys.astype(np.float32), tuple(losses)

    def gradient(self, index: IntArray) -> tuple[float, FloatArray]:
        """The mean loss of some rows, and its gradient by the keys (n, d)."""
        rows, targets = self.rows[index], self.targets[index]
        near = affinity(rows @ self.keys.T, self.beta)
        near[np.arange(len(index)), index] = 0.0
        logits = self.base[index] + self.alpha * (near @ self.votes)
        share = self.weights[index] / self.weights[index].sum()
        if self.multi_label:
            off = 1.0 / (1.0 + np.exp(-logits)) - targets
        else:
            off = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)) - targets
        pull = (share[:, None] * off) @ self.votes.T * near  # (m, n)
        loss = float(share @ _log_loss(logits, targets, self.multi_label))
        return loss, self.alpha * self.beta * pull.T @ rows


METHOD = TipAdapter()
