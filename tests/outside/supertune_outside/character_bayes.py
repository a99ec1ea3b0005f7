"""Naive Bayes over character trigrams: no backbone, one pass, nothing to choose.

McCallum & Nigam 1998, "A Comparison of Event Models for Naive Bayes Text Classification".
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from supertune.contracts import FloatArray, HeadSpec, Input, Lens, Options, Problem, State, Tuned


def _counts(inputs: Sequence[Input], buckets: int) -> FloatArray:
    """(n, buckets): how often each hashed trigram occurs in each input."""
    counts = np.zeros((len(inputs), buckets))
    for row, value in enumerate(inputs):
        text = f" {value if isinstance(value, str) else ' '.join(value)} ".lower()
        for start in range(len(text) - 2):
            counts[row, zlib.crc32(text[start : start + 3].encode("utf-8")) % buckets] += 1
    return counts


def _log_shares(mass: FloatArray, counts: FloatArray, smoothing: float) -> list[FloatArray]:
    """Log shares of trigrams (C, buckets) and log weight (C,) of rows with ``mass`` (n, C)."""
    trigrams = mass.T @ counts + smoothing
    return [
        np.log(trigrams / trigrams.sum(axis=1, keepdims=True)),
        np.log(mass.sum(axis=0) + smoothing),
    ]


class CharacterBayesOptions(Options):
    smoothing: float = Field(0.1, gt=0, description="added to every count")
    buckets: int = Field(4096, ge=16, description="trigrams are hashed into so many")


class FittedBayes:
    """Log-probabilities of trigrams (C, buckets) and of labels (C,)."""

    def __init__(self, trigrams: FloatArray, labels: FloatArray) -> None:
        self.trigrams, self.labels = trigrams, labels
        self.tuned_parameters = trigrams.size + labels.size

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        counts = _counts(inputs, self.trigrams.shape[1])
        # Not a matrix product: a row's sum must not depend on how many rows come with it.
        return (counts[:, None, :] * self.trigrams).sum(axis=2) + self.labels

    def state(self) -> State:
        return State({"trigrams": self.trigrams, "labels": self.labels})


class CharacterBayes:
    name = "character_bayes"
    summary = "naive Bayes over character trigrams, no backbone"
    reference = "McCallum & Nigam 1998"
    needs: frozenset[str] = frozenset()
    objectives = frozenset({"classify"})
    simplicity = 1
    options = CharacterBayesOptions

    def fit(self, problem: Problem, options: CharacterBayesOptions) -> Tuned:
        targets = problem.examples.targets
        assert targets is not None  # the pipeline hands over labelled rows only
        if targets.ndim == 1:
            targets = np.eye(problem.head.outputs)[targets]
        given = problem.examples.weights
        weights = np.ones((len(targets), 1)) if given is None else given[:, None]
        counts = _counts(problem.examples.inputs, options.buckets)
        found = _log_shares(targets * weights, counts, options.smoothing)
        if problem.head.multi_label:  # each label against the rows without it
            others = _log_shares((1 - targets) * weights, counts, options.smoothing)
            found = [yes - no for yes, no in zip(found, others, strict=True)]
        return FittedBayes(*found)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Tuned:
        return FittedBayes(state.arrays["trigrams"], state.arrays["labels"])


METHOD = CharacterBayes()
