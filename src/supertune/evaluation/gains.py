"""What a change would bring, from paired scores of few rows and from what such changes usually do.

A difference seen on 30 rows is mostly luck: the largest of several is then the luckiest. So each is
drawn towards 0 by how much changes of its kind differ on other data sets, as in the normal model
of Lindley and Smith (1972).

Shapes: R repeats, n rows, C labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from supertune.contracts import Examples, FloatArray
from supertune.evaluation.choice import Choice, corrected_choice
from supertune.evaluation.forecast import PRIOR, Range
from supertune.evaluation.intervals import Z95, least_difference
from supertune.evaluation.resampling import Sampling, Score, averaged
from supertune.metrics import RATES

Z80 = 1.2815515655446004


@dataclass(frozen=True, eq=False)
class Scoring:
    """How answers to ``examples`` are scored, and which way is better."""

    score: Score
    examples: Examples
    metric: str
    larger: bool
    seed: int

    @property
    def sampling(self) -> Sampling:
        rows = self.examples
        return Sampling(len(rows), self.seed, rows.groups, rows.weights)

    @property
    def sign(self) -> float:
        return 1.0 if self.larger else -1.0


def paired_gain(scoring: Scoring, new: FloatArray, now: FloatArray, usual: float) -> Range:
    """What answers ``new`` have over ``now``, both (R, n, C) out of fold; positive is better.

    Args:
        usual: standard deviation, in units of the metric, of what such changes bring.
    """
    assert scoring.examples.targets is not None
    sampling = scoring.sampling
    both = averaged(
        scoring.score, [new, now], scoring.examples.targets, [scoring.metric], sampling.weightings()
    )[:, :, 0]
    gaps = scoring.sign * (both[:, 0] - both[:, 1])
    least = least_difference(sampling.units) / Z95 if scoring.metric in RATES else 0.0
    # Models are not fitted anew in a resample, so it says too little of their luck.
    error = math.sqrt(PRIOR.noise) * max(float(gaps[1:].std()), least)
    return shrunken(float(gaps[0]), error, usual)


def best_gain(
    scoring: Scoring, trials: Mapping[str, FloatArray], now: str, usual: float
) -> tuple[str, Range]:
    """The best of ``trials``, ``now`` among them, and what it brings, corrected for having been
    chosen by the same rows (`choice.corrected_choice`). A change is named only where it is better
    by a standard error."""
    rows = scoring.examples
    assert rows.targets is not None
    order = [now, *(name for name in trials if name != now)]
    found: Choice = corrected_choice(
        scoring.score, trials, rows.targets, scoring.metric, scoring.larger, order,
        tolerance=1.0, seed=scoring.seed, baseline=trials[now], groups=rows.groups,
        weights=rows.weights,
    )  # fmt: skip
    gap = found.difference
    assert gap is not None
    error = math.sqrt(PRIOR.noise) * (gap.high - gap.low) / (2 * Z95)
    return found.winner, shrunken(scoring.sign * gap.value, error, usual)


def shrunken(seen: float, error: float, usual: float) -> Range:
    """Mean and 80 % range of a normal with mean 0 and deviation ``usual``, once ``seen`` with its
    standard ``error`` is known."""
    trust = usual**2 / (usual**2 + error**2) if error > 0 else 1.0
    value, half = trust * seen, Z80 * math.sqrt(trust) * error
    return Range(float(value), float(value - half), float(value + half))


def unit(scoring: Scoring, floor: FloatArray) -> float:
    """What a point is a hundredth of: 1 for rates, for others twice the error of ``floor`` (n, C),
    the answers of what learns nothing, which for two even classes is 1 too."""
    if scoring.metric in RATES:
        return 1.0
    assert scoring.examples.targets is not None
    weights = None if scoring.examples.weights is None else scoring.examples.weights[None]
    value = scoring.score(floor, scoring.examples.targets, weights)[scoring.metric]
    return 2.0 * abs(float(np.asarray(1.0 - value if scoring.larger else value)[0]))
