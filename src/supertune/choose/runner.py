"""One candidate on its way through the folds: what it has answered and what is still to pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from supertune.choose.entries import Entry
from supertune.choose.halving import Contest, Outlook
from supertune.contracts import Examples, FloatArray, IntArray
from supertune.pipeline import Assessed

Fold = tuple[IntArray, IntArray]

# Of a fold, what the first one takes beside itself: the rows are read and kept up to the cut.
ONCE = 0.15


@dataclass(eq=False)
class Runner:
    """An entry whose folds are run one after another.

    Attributes:
        answers: (rows of the fold, C) of each fold that is done.
        lead: paired difference to its rival on the rows seen, 0 before any.
    """

    entry: Entry
    folds: int
    answers: list[FloatArray] = field(default_factory=list)
    lead: float = 0.0

    @property
    def done(self) -> int:
        return len(self.answers)

    def each(self) -> float:
        """Seconds of a fold: as measured, and as predicted before any."""
        if self.done:
            return self.entry.seconds / (self.done + ONCE)
        return self.entry.comparing_seconds / max(1, self.entry.folds)

    def final(self) -> float:
        """Seconds of the fit on all rows."""
        if not self.done:
            return self.entry.predicted_seconds * self.entry.final_share
        return self.each() / (1 - 1 / self.folds)  # which learns from more rows than a fold

    def folds_left(self) -> float:
        """Seconds of the folds that are not done."""
        return self.each() * (self.folds - self.done)

    def alone(self) -> float:
        """Seconds until it could be the model."""
        return self.folds_left() + self.final()

    def spend(self, seconds: float) -> None:
        self.entry.seconds += seconds

    def assessed(self, examples: Examples, folds: Sequence[Fold]) -> Assessed:
        """Its answers to all rows."""
        answers = np.full((1, len(examples), self.answers[0].shape[1]), np.nan)
        for (_, test), found in zip(folds, self.answers, strict=True):
            answers[0, test] = found
        return Assessed(self.entry.candidate, answers, self.entry.seconds)


def together(runners: Sequence[Runner]) -> float:
    """Seconds until all have answered every fold and the dearest of them could be the model."""
    return sum(one.folds_left() for one in runners) + max(one.final() for one in runners)


def first_round(runners: Sequence[Runner]) -> float:
    """Seconds until all have answered one fold and the dearest of them could be the model."""
    return sum(one.each() for one in runners) + max(one.alone() - one.each() for one in runners)


def told(found: Outlook, contest: Contest, runner: Runner) -> str:
    """Why it was stopped, in words."""
    if found.shortfall is not None:
        return told(found.shortfall, contest.second, runner)
    return (
        f"after {runner.done} of {runner.folds} folds {contest.metric} {found.score:.3f} where "
        f"{found.rival} has {found.rival_score:.3f} on the same {found.rows} rows; at best "
        f"{found.upper:+.3f} on all rows, and {found.needed:+.3f} would be needed"
    )
