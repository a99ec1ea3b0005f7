"""Scores (n, C) of rows whose labels are known, looked at for signs that nothing was learned."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import Examples, Finding, FloatArray
from supertune.training.codes import finding, stop

EQUAL = 1e-6  # of the largest score: less than any row's text makes
CERTAIN = 1 - 1e-6
WRONG = 0.1  # share of wrong answers from which certainty is a fault
ODDS = 0.01  # how rarely a guess is so bad
FAR_ABOVE = 2.0  # times the loss of a guess, and one nat more


def apart(one: FloatArray, other: FloatArray) -> float:
    """The largest difference, as a share of the largest value; infinite where one is no number."""
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return math.inf
    if not one.size:
        return 0.0
    largest = max(float(np.abs(one).max()), float(np.abs(other).max()), 1e-30)
    return float(np.abs(one - other).max()) / largest


def valued(examples: Examples) -> bool:
    """Whether the answers are values on a scale: (n,) floats."""
    targets = examples.targets
    return targets is not None and targets.ndim == 1 and targets.dtype.kind == "f"


def chance(examples: Examples) -> float:
    """The loss of a guess: in nats by the labels' shares, of values the squared error of the
    mean."""
    targets = examples.targets
    assert targets is not None
    weights = np.ones(len(examples)) if examples.weights is None else examples.weights
    if valued(examples):
        mean = np.average(targets, weights=weights)
        return float(np.average((targets - mean) ** 2, weights=weights))
    if targets.ndim == 2:
        shares = np.average(targets, axis=0, weights=weights)
        return float(sum(_entropy(np.array([share, 1 - share])) for share in shares))
    shares = np.bincount(targets, weights=weights, minlength=len(examples.labels))
    return _entropy(shares / shares.sum())


def _entropy(shares: FloatArray) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())


def loss(logits: FloatArray, targets: npt.NDArray[Any]) -> float:
    """Mean loss in nats of rows with one label each, or several (targets (n, C)); of values
    (floats (n,)) the squared error."""
    if targets.ndim == 1 and targets.dtype.kind == "f":
        return float(((logits[:, 0] - targets) ** 2).mean())
    if targets.ndim == 2:
        each = np.logaddexp(0, logits) - targets * logits
        return float(each.sum(axis=1).mean())
    norm = np.logaddexp.reduce(logits, axis=1)
    return float((norm - logits[np.arange(len(logits)), targets]).mean())


def far_above(own: float, guess: float) -> bool:
    """Whether a loss is one that only labels of other rows give to a fitted readout."""
    return guess > 0 and own > FAR_ABOVE * guess + 1


def check_start(logits: FloatArray, examples: Examples) -> list[Finding]:
    """Of an untrained model with a fitted readout, on rows it was fitted on."""
    if not np.isfinite(logits).all():
        raise stop("answers_not_finite", "before the first step")
    if not logits.any():  # a head that starts at zero
        return []
    guess, own = chance(examples), loss(logits, _targets(examples))
    if far_above(own, guess):
        detail = f"a loss of {own:.2f}, where a guess has {guess:.2f}"
        return [finding("start_worse_than_chance", detail)]
    return _constant(logits)


def check_end(logits: FloatArray, examples: Examples) -> list[Finding]:
    """Of a fitted model on rows that it was fitted on.

    Raises:
        SupertuneError: ``answers_not_finite``.
    """
    if not np.isfinite(logits).all():
        raise stop("answers_not_finite")
    constant = _constant(logits)
    if constant or examples.multi_label or valued(examples):
        return constant
    return _one_answer(logits, examples) or [
        *_saturated(logits, examples),
        *_worse_than_chance(logits, examples),
    ]


def _targets(examples: Examples) -> npt.NDArray[Any]:
    assert examples.targets is not None
    return examples.targets


def _constant(logits: FloatArray) -> list[Finding]:
    """The labels' scores are the same in every row, or the rows' scores with every label."""
    if len(logits) < 2:
        return []
    largest = max(float(np.abs(logits).max()), 1e-30)
    if logits.shape[1] == 1:
        same = float(np.ptp(logits)) <= EQUAL * largest
        return [finding("scores_constant")] if same else []
    if float(np.ptp(logits, axis=1).max()) <= EQUAL * largest:
        return [finding("words_equal")]
    # What all labels share cancels out of every answer.
    centred = logits - logits.mean(axis=1, keepdims=True)
    if float(np.ptp(centred, axis=0).max()) <= EQUAL * max(float(np.abs(centred).max()), 1e-30):
        return [finding("scores_constant")]
    return []


def _one_answer(logits: FloatArray, examples: Examples) -> list[Finding]:
    counts = np.bincount(_targets(examples), minlength=len(examples.labels))
    there = counts[counts > 0]
    balanced = len(there) > 1 and there.max() <= 3 * there.min() and len(examples) >= 4
    chosen = np.unique(logits.argmax(axis=1))
    if not balanced or len(chosen) > 1:
        return []
    return [finding("one_answer", f"'{examples.labels[int(chosen[0])]}' {len(examples)} times")]


def _saturated(logits: FloatArray, examples: Examples) -> list[Finding]:
    sure = np.exp(logits.max(axis=1) - np.logaddexp.reduce(logits, axis=1))
    wrong = float((logits.argmax(axis=1) != _targets(examples)).mean())
    if (sure >= CERTAIN).all() and wrong >= WRONG:
        return [finding("logits_saturated", f"{wrong:.0%} of them wrong")]
    return []


def _worse_than_chance(logits: FloatArray, examples: Examples) -> list[Finding]:
    """So few right answers that a guess among the labels would rarely have fewer."""
    targets = _targets(examples)
    n, labels = len(targets), len(np.unique(targets))
    right = int((logits.argmax(axis=1) == targets).sum())
    share = 1 / max(labels, 1)
    odds = sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(right + 1))
    if labels > 1 and odds < ODDS:
        return [finding("worse_than_chance", f"{right} of {n} right")]
    return []
