"""Candidates side by side within a budget: what runs, what is stopped, and why.

What is solved in closed form is answered whole, the cheap before the dear. What is trained by
gradients is answered fold by fold, the more promising first, and stopped when it can no longer win
(`halving`) or when its folds and its final fit no longer fit into the time left; where not all of
them fit, the better half goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from supertune import limits
from supertune.choose import fewer, halving, prior
from supertune.choose.entries import Entry
from supertune.choose.halving import Contest, Rival
from supertune.choose.listing import SOLVING, too_large
from supertune.choose.runner import Fold, Runner, first_round, together, told
from supertune.config import Recipe
from supertune.contracts import Examples, FloatArray
from supertune.evaluation.resampling import Sampling
from supertune.limits import Clock, OutOfTime
from supertune.metrics import RATES
from supertune.pipeline import Assessed, Workshop, begin, calibrated
from supertune.training import estimate

SLOWER = "slower than predicted; it would not have ended within the time limit"
GRACE = 1.0  # seconds that what costs next to nothing may take, whatever is left


@dataclass(eq=False)
class Race:
    """One comparison.

    Attributes:
        stop: when everything, the final fit included, has to be over (``clock`` seconds).
        complete: what has answered every row, to be beaten by the rest.
        read: backbones whose features of the rows are there.
        too_dear: what all folds took too long for.
        shorter: the recipe with fewer folds, where everything was compared on these in the end.
    """

    workshop: Workshop
    examples: Examples
    stop: float
    clock: Clock = time.monotonic
    complete: list[Rival] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    too_dear: list[Entry] = field(default_factory=list)
    shorter: Recipe | None = None

    def __post_init__(self) -> None:
        workshop, examples = self.workshop, self.examples
        assert examples.targets is not None
        metric = workshop.metric
        self.contest = Contest(
            workshop.score(examples.labels),
            metric,
            workshop.task.metrics[metric],
            metric in RATES,
            examples.targets,
            Sampling(len(examples), workshop.recipe.seed, examples.groups, examples.weights),
            workshop.objective.tolerance,
            workshop.objective.decider,
        )

    def run(self, entries: list[Entry]) -> None:
        """Compare; what becomes of each is written into it."""
        allowed = self._admitted(entries)
        solved = [entry for entry in allowed if not entry.trained]
        nearest = next((e.candidate.backbone for e in solved if e.candidate.backbone), None)
        begun = [self._begun(entry) for entry in solved]
        for number, entry in enumerate(solved):
            # Whatever was predicted: what all are compared with, and the cheapest backbone.
            first = nearest is not None and entry.candidate.backbone == nearest
            self.whole(entry, begun[number], certain=number == 0 or first)
        trained = [e for e in allowed if e.trained]
        self.rounds(trained)
        if self.complete and not any(entry.assessed for entry in trained):
            self.shorter = fewer.compared(self, solved, self.too_dear)
        if not any(
            entry.assessed for entry in entries
        ):  # then whatever the clock says: there has to be a model
            self.whole(trained[0], certain=True)

    @property
    def timed(self) -> bool:
        """Whether the clock matters; a number of candidates makes the outcome reproducible."""
        return self.workshop.recipe.max_candidates is None

    def left(self) -> float:
        return self.stop - self.clock() if self.timed else math.inf

    def _admitted(self, entries: list[Entry]) -> list[Entry]:
        """All but those that are not worth trying, that memory is too small for, or that are
        beyond the number asked for."""
        recipe = self.workshop.recipe
        most = limits.most_of(recipe.memory_limit)
        admitted: list[Entry] = []
        for entry in entries:
            if entry.unwise:
                entry.why = f"not worth trying: {entry.unwise}"
            elif admitted and entry.memory_bytes > most:
                entry.why = too_large(entry, most)
            elif recipe.max_candidates is not None and len(admitted) >= recipe.max_candidates:
                entry.why = f"beyond --max-candidates {recipe.max_candidates}"
            else:
                admitted.append(entry)
        return admitted

    # --- at once ---------------------------------------------------------------------------

    def whole(
        self, entry: Entry, begun: Callable[[], Assessed] | None = None, *, certain: bool
    ) -> None:
        """All folds of one candidate at once; ``certain``: whatever the clock says."""
        needed = self._needed(entry)
        tiny = needed <= SOLVING
        if not certain and not tiny and needed > self.left():
            entry.why = self._no_time(needed)
            return
        if self._cannot_win(entry):
            return
        hard = self.stop if self.timed else math.inf
        hard = math.inf if certain else max(hard, self.clock() + GRACE * tiny)
        self._tell(entry, 0, None)
        started = self.clock()
        try:
            with limits.until(hard, self.clock):
                entry.assessed = (begun or self._begun(entry))()
        except OutOfTime:
            entry.status, entry.why = "stopped", SLOWER
            return
        entry.seconds = self.clock() - started
        self._finished(entry)

    def _begun(self, entry: Entry) -> Callable[[], Assessed]:
        # All repeats of what is solved; one of what is trained.
        folds = self.workshop.folds(self.examples)[: 1 if entry.trained else None]
        tell = partial(self._tell, entry)
        return begin(self.workshop, entry.candidate, self.examples, folds, done=tell)

    def _needed(self, entry: Entry) -> float:
        """Predicted seconds, with opening its backbone and reading the rows if nobody has."""
        backbone = entry.candidate.backbone
        if backbone is None or backbone in self.read:
            return entry.predicted_seconds
        return entry.predicted_seconds + entry.spared + estimate.LOADING

    def _finished(self, entry: Entry) -> None:
        assert entry.assessed is not None
        entry.status = "compared"
        if entry.candidate.backbone is not None:
            self.read.add(entry.candidate.backbone)
        # As they will be when all that were compared are judged.
        answers = calibrated(self.workshop, entry.assessed, self.examples).answers
        standing = self.contest.standing(answers)
        self.complete.append(Rival(str(entry.candidate), entry.simplicity, answers, *standing))

    def _cannot_win(self, entry: Entry) -> bool:
        """Nothing is left to be won, since the rival makes hardly a mistake."""
        if not self.complete or not entry.trained:
            return False
        if not halving.out_of_reach(self.contest, self.complete):
            return False
        rival = halving.first(self.contest, self.complete)
        entry.status = "stopped" if entry.seconds else "skipped"
        entry.why = f"could not be better than {rival.name} by a standard error"
        return True

    # --- fold by fold ------------------------------------------------------------------------

    def rounds(self, entries: list[Entry]) -> None:
        if not entries:
            return
        folds = self.workshop.folds(self.examples, repeats=1)[0]
        running = [Runner(entry, len(folds)) for entry in self.by_promise(entries)]
        for number, fold in enumerate(folds, start=1):
            running = self._affordable(running)
            begun = [self._begun_fold(one, fold) for one in running]
            running = [
                one for one, wait in zip(running, begun, strict=True) if self._fold(one, wait)
            ]
            running = [one for one in running if not self._hopeless(one, folds[:number])]
        for runner in running:
            runner.entry.assessed = runner.assessed(self.examples, folds)
            self._finished(runner.entry)

    def by_promise(self, entries: list[Entry]) -> list[Entry]:
        """The best first, by what their backbone has shown and what tuning is expected to add."""
        if not self.timed or not self.contest.rate:
            return entries
        seen: dict[str | None, float] = {}
        for one in self.complete:
            backbone = one.name.split(" + ")[0] if " + " in one.name else None
            seen[backbone] = max(seen.get(backbone, 0.0), one.score)
        return sorted(entries, key=lambda e: -prior.promising(seen, e.candidate.backbone, e.gain))

    def _affordable(self, running: list[Runner]) -> list[Runner]:
        """Those that go on: all if all can end in time, else the better half or fewer."""
        kept = []
        for runner in running:
            if self._cannot_win(runner.entry):
                continue
            if runner.alone() > self.left():
                self._drop(runner, self._no_time(runner.alone()))
                self.too_dear += [] if runner.done else [runner.entry]
                continue
            kept.append(runner)
        kept.sort(key=lambda one: -one.lead)  # stable: by promise before anything was seen
        while len(kept) > 1 and self._too_many(kept):
            going = 1 if not kept[0].done else len(kept) // 2
            for runner in kept[-going:]:
                self._drop(runner, f"the time left goes to {kept[0].entry.candidate}")
            del kept[-going:]
        return kept

    def _too_many(self, runners: list[Runner]) -> bool:
        """Before anything was seen, one fold of each has to fit beside the rest of one; later
        all that is left of all."""
        needed = together(runners) if runners[0].done else first_round(runners)
        return needed > self.left()

    def _begun_fold(self, runner: Runner, fold: Fold) -> Callable[[], FloatArray]:
        """Answers (rows in test, C) of one more fold, to be waited for."""
        workshop, rows = self.workshop, self.examples
        wait = workshop.begin(workshop, runner.entry.candidate, rows, [[fold]], None)

        def answers() -> FloatArray:
            return workshop.answers(wait()[0][fold[1]], rows.labels, workshop.task.head(rows))

        return answers

    def _fold(self, runner: Runner, wait: Callable[[], FloatArray]) -> bool:
        """One more fold; whether there was time for it."""
        entry = runner.entry
        hard = self.stop - runner.final() if self.timed else math.inf
        self._tell(entry, runner.done, runner.folds)
        started = self.clock()
        try:
            with limits.until(hard, self.clock):
                answers = wait()
        except OutOfTime:
            runner.spend(self.clock() - started)
            entry.status, entry.why = "stopped", SLOWER
            return False
        runner.spend(self.clock() - started)
        runner.answers.append(answers)
        entry.folds_done = runner.done
        return True

    def _hopeless(self, runner: Runner, folds: list[Fold]) -> bool:
        """Whether the rows seen say that it can no longer win."""
        if not self.complete or runner.done == runner.folds:
            return False
        entry = runner.entry
        rows = np.concatenate([test for _, test in folds])
        answers = np.concatenate(runner.answers)
        found = halving.chances(self.contest, self.complete, entry.simplicity, answers, rows)
        runner.lead = found.difference
        if not found.hopeless:
            return False
        entry.outlook = found
        entry.status, entry.why = "stopped", told(found, self.contest, runner)
        return True

    def _drop(self, runner: Runner, why: str) -> None:
        runner.entry.status = "stopped" if runner.done else "skipped"
        runner.entry.why = why

    def _no_time(self, needed: float) -> str:
        limit = self.workshop.recipe.time_limit
        return (
            f"would take about {needed:.0f} s and {max(self.left(), 0):.0f} s of "
            f"the {limit:.0f} s were left"
        )

    def _tell(self, entry: Entry, done: int, total: int | None) -> None:
        if self.workshop.progress is not None:
            self.workshop.progress(f"compare {entry.candidate}", done, total)
