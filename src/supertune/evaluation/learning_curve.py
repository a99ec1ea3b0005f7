"""How the score grew with the rows so far: models of fewer rows, judged on all of them.

Each fold of a cross-validation keeps the rows it asks about and gives up rows it learns from.
So every size is judged on the same rows, and what makes these rows easy or hard moves all points
of the curve together, while its slope is known much better.

Shapes: J sizes, R repeats, n rows, C labels, B resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supertune.contracts import Examples, FloatArray, IntArray
from supertune.evaluation.resampling import Sampling, Score, averaged
from supertune.evaluation.splits import Fold
from supertune.metrics import RATES

POINTS = 6  # sizes at most, that of the folds themselves included
SMALLEST = 4  # rows to learn from
STEP = 1.25  # ratio of two sizes at least
FEW_ROWS, MANY_FOLDS, FOLDS = 100, 10, 5  # up to so many rows the larger number of folds


@dataclass(frozen=True, eq=False)
class Observed:
    """Points of a learning curve, in units of the metric's error.

    The error of a metric of which more is better is 1 minus its value; any other metric is an
    error as it is.

    Attributes:
        sizes: (J,) rows learnt from, ascending.
        errors: (J,) of models that learnt from so many.
        covariance: (J, J) of ``errors`` under drawing the rows anew.
        base: error of what learns nothing but how often each answer occurs.
        rows: n.
        outputs: how many answers there are to tell apart, 1 for values.
    """

    sizes: FloatArray
    errors: FloatArray
    covariance: FloatArray
    base: float
    rows: int
    outputs: int


def sizes(learnt: int, outputs: int) -> list[int]:
    """Numbers of rows to learn from, ascending and below ``learnt``, what folds learn from now."""
    least = max(SMALLEST, 2 * outputs, learnt // 10)
    if least * STEP > learnt:
        return []
    steps = min(POINTS - 1, int(np.log(learnt / least) / np.log(STEP)))
    ratio = (learnt / least) ** (1 / max(1, steps))
    return [round(least * ratio**step) for step in range(max(1, steps))]


def folds(examples: Examples, repeats: int, seed: int) -> list[list[Fold]]:
    """``repeats`` times folds at random, whole groups of rows together.

    They are not stratified: where each fold has the labels' shares of all rows, what is learnt of
    the shares is right by construction, and a few even rows seem easier than unseen ones will be.
    """
    units = np.arange(len(examples))
    if examples.groups is not None:
        units = np.unique(examples.groups, return_inverse=True)[1]
    count = int(units.max()) + 1
    parts = min(count, MANY_FOLDS if len(examples) <= FEW_ROWS else FOLDS)
    made: list[list[Fold]] = []
    for repeat in range(repeats):
        place = np.random.default_rng([seed, repeat]).permutation(count) % parts
        where = place[units]
        made.append(
            [(np.flatnonzero(where != at), np.flatnonzero(where == at)) for at in range(parts)]
        )
    return made


def shrunk(
    given: Sequence[Sequence[Fold]], size: int, examples: Examples, seed: int
) -> list[list[Fold]]:
    """The folds with ``size`` rows to learn from each; a smaller size takes a part of what a
    larger one takes, and no label is left out while another has two rows."""
    return [
        [
            (_first(train, size, examples, np.random.default_rng([seed, repeat, number])), test)
            for number, (train, test) in enumerate(one)
        ]
        for repeat, one in enumerate(given)
    ]


def _first(train: IntArray, size: int, examples: Examples, rng: np.random.Generator) -> IntArray:
    order = rng.permutation(train)
    assert examples.targets is not None
    if not (examples.multi_label or examples.valued):
        found = np.unique(examples.targets[order], return_index=True)[1]
        order = np.concatenate([order[found], np.delete(order, found)])
    return np.sort(order[:size])


def observed(
    score: Score,
    answers: Sequence[FloatArray],
    learnt: Sequence[float],
    floor: FloatArray,
    examples: Examples,
    metric: str,
    larger: bool,
    seed: int,
) -> Observed:
    """The points, from answers of models that had not seen the row.

    Args:
        score: all metrics of one set of answers; see `resampling.Score`.
        answers: for each size (R, n, C), by models that learnt from ``learnt`` rows, ascending.
        floor: (n, C) answers of what learns nothing but how often each answer occurs.
    """
    assert examples.targets is not None
    sampling = Sampling(len(examples), seed, examples.groups, examples.weights)
    table = averaged(score, [*answers, floor], examples.targets, [metric], sampling.weightings())[
        :, :, 0
    ]
    errors = 1.0 - table if larger else table
    points = errors[:, : len(answers)]
    covariance = np.cov(points[1:], rowvar=False).reshape(len(answers), len(answers))
    base = float(errors[0, -1])
    least = 0.5 / (sampling.units + 2) * (1.0 if metric in RATES else base)
    # Rows that were all answered rightly do not prove that all others would be.
    covariance = covariance + least**2
    outputs = 1 if examples.valued else max(2, len(examples.labels))
    return Observed(
        np.asarray(learnt, dtype=np.float64), points[0], covariance, base, len(examples), outputs
    )
