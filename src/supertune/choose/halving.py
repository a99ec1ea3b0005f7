"""When a candidate that is compared fold by fold can no longer win.

Everything is compared on the same folds, so after k of them a candidate and its rival have
answered the same rows. Their paired difference on those rows, and how far the difference on all
rows may still lie above it, say whether going on is worth anything. Successive halving (Jamieson &
Talwalkar 2016, arXiv:1502.07943) with a bound in place of a fixed share: docs/decisions/0011.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray
from supertune.evaluation.resampling import Sampling, Score, averaged, repeats_of
from supertune.evaluation.spread import student

CONFIDENCE = 0.95  # that a difference does not exceed its upper bound, one-sided
TINY = 1e-9


@dataclass(frozen=True)
class Outlook:
    """What the folds seen so far say about a candidate. Differences are signed so that more is
    better for it.

    Attributes:
        rival: whom it is compared with.
        score, rival_score: on the rows seen.
        difference: of the two, paired.
        upper: bound of the difference on all rows.
        needed: the difference on all rows from which the candidate would be chosen.
        rows: how many were seen.
        shortfall: the same by the decider, where it is by that that it cannot be chosen.
    """

    rival: str
    score: float
    rival_score: float
    difference: float
    upper: float
    needed: float
    rows: int
    shortfall: Outlook | None = None

    @property
    def hopeless(self) -> bool:
        return self.upper < self.needed or self.shortfall is not None


@dataclass(frozen=True, eq=False)
class Contest:
    """What is compared: the score, whether more of it is better, whether it is a share of right
    answers, the rows' targets and how they are drawn; ``tolerance`` and ``decider``, which is a
    loss, as in `Judge`."""

    score: Score
    metric: str
    larger: bool
    rate: bool
    targets: npt.NDArray[np.generic]
    sampling: Sampling
    tolerance: float
    decider: str | None = None

    def standing(self, answers: FloatArray) -> tuple[float, float, float]:
        """Of answers (R, n, C) to all rows: the score, its standard error over resamples, and the
        loss of the decider, 0 where there is none."""
        scores = averaged(
            self.score, [answers], self.targets, [self.metric], self.sampling.weightings()
        )[:, 0, 0]
        loss = 0.0
        if self.decider is not None:
            whole = [self.sampling.weighted(np.ones((1, self.sampling.n)))]
            found = averaged(self.score, [answers], self.targets, [self.decider], whole)
            loss = float(found[0, 0, 0])
        return float(scores[0]), float(scores[1:].std()), loss

    @property
    def second(self) -> Contest:
        """The same by the decider."""
        assert self.decider is not None
        return replace(self, metric=self.decider, larger=False, rate=False, decider=None)

    def signed(self, value: float) -> float:
        return value if self.larger else -value

    def slack(self, error: float) -> float:
        """By how much a candidate may be worse than one with this standard error and not be told
        from it."""
        return max(self.tolerance * error, TINY)


@dataclass(frozen=True, eq=False)
class Rival:
    """A complete candidate: answers (R, n, C); score, standard error and the decider's loss on all
    rows."""

    name: str
    rank: tuple[int, int]
    answers: FloatArray
    score: float
    error: float
    loss: float = 0.0


def to_beat(contest: Contest, complete: list[Rival], rank: tuple[int, int]) -> tuple[Rival, float]:
    """Whom a candidate has to beat, and by how much, to be chosen.

    Of those within the tolerance of the best, in its standard errors, the simplest wins. So what
    is less simple than the winner so far has to be better than it by so much, and what is simpler
    may be worse than the best by so much. Where a decider chooses among them, anything may be.
    """
    winner = first(contest, complete)
    if rank < winner.rank or contest.decider is not None:
        best = max(complete, key=lambda one: contest.signed(one.score))
        return best, -contest.slack(best.error)
    return winner, contest.slack(winner.error)


def first(contest: Contest, complete: list[Rival]) -> Rival:
    """Who would be chosen among those that have answered every row."""
    best = max(complete, key=lambda one: contest.signed(one.score))
    bar = contest.signed(best.score) - contest.slack(best.error)
    within = [one for one in complete if contest.signed(one.score) >= bar]
    return min(within, key=lambda one: (one.loss, one.rank))


def out_of_reach(contest: Contest, complete: list[Rival]) -> bool:
    """Whether not even answers without a mistake would be better than the best by a standard
    error: then nothing dear is worth its time."""
    best = max(complete, key=lambda one: contest.signed(one.score))
    return contest.rate and contest.larger and 1.0 - best.score <= max(best.error, TINY)


def chances(
    contest: Contest,
    complete: list[Rival],
    rank: tuple[int, int],
    answers: FloatArray,
    rows: IntArray,
) -> Outlook:
    """Of a candidate whose ``answers`` (k, C) to ``rows`` (k,) are known: whether it can still be
    chosen, and if not, by what it falls short."""
    found = outlook(contest, *to_beat(contest, complete, rank), answers, rows)
    if found.hopeless or contest.decider is None:
        return found
    winner = first(contest, complete)
    ahead = outlook(contest, winner, contest.slack(winner.error), answers, rows)
    surer = outlook(contest.second, winner, TINY, answers, rows)
    # It is chosen as the surer of two that cannot be told apart, or as the better one.
    return replace(found, shortfall=surer) if ahead.hopeless and surer.hopeless else found


def outlook(
    contest: Contest, rival: Rival, needed: float, answers: FloatArray, rows: IntArray
) -> Outlook:
    """Of a candidate whose ``answers`` (k, C) to ``rows`` (k,) are known.

    The difference on all n rows is normal around that on the k seen, with the resampled standard
    error of the latter times the root of 1 - k/n (sampling without replacement from the rows at
    hand; Cochran 1977, chapter 2). For a share of right answers the variance is at least that of
    one more pair on which the two disagree, since few rows without a disagreement prove little.
    """
    seen = contest.sampling.take(rows)
    theirs = repeats_of(rival.answers)[:, rows]
    targets = contest.targets[rows]
    scores = averaged(contest.score, [answers, theirs], targets, [contest.metric],
                      seen.weightings())[:, :, 0]  # fmt: skip
    gaps = scores[:, 0] - scores[:, 1]
    gaps = gaps if contest.larger else -gaps
    value, error = float(gaps[0]), float(gaps[1:].std())
    units = seen.units
    if contest.rate:
        error = max(error, math.sqrt(1.0 / ((units + 2) * units)))
    left = max(0.0, 1.0 - len(rows) / contest.sampling.n)
    upper = value + student(units - 1, CONFIDENCE) * error * math.sqrt(left)
    return Outlook(
        rival.name, float(scores[0, 0]), float(scores[0, 1]), value, upper, needed, len(rows)
    )
