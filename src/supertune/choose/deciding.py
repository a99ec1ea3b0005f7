"""Compare within the limits, choose, and choose again where a choice cannot be carried out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from supertune import limits
from supertune.choose import fewer, searching
from supertune.choose.entries import Decision, Entry
from supertune.choose.listing import fitted_once, judging_seconds, language_notes, too_large
from supertune.choose.race import Race
from supertune.config import Recipe
from supertune.contracts import Examples, FloatArray
from supertune.errors import EnvironmentFault
from supertune.evaluation.choice import Choice, corrected_choice
from supertune.evaluation.splits import feasible_folds
from supertune.limits import Clock
from supertune.pipeline import Workshop, calibrated

REPORT_SHARE = 0.1  # of the time limit, kept back for intervals and the report
CHEAP_SHARE = 0.2  # of the time limit that the first candidate may take before repeats are cut


def decide(
    workshop: Workshop,
    entries: list[Entry],
    examples: Examples,
    deadline: float,
    *,
    test: Examples | None,
    clock: Clock = time.monotonic,
) -> Decision:
    """Compare the candidates until ``deadline`` (``clock`` seconds) and choose; where the recipe
    asks for a search, settings of what was chosen too.

    Args:
        entries: what `candidates` found for these rows; what becomes of each is written there.
        test: rows that the winner will be judged by. A single slow candidate then needs no
            folds, unless it is to abstain, and the time to answer them is kept back.

    Raises:
        EnvironmentFault: ``memory_too_small`` when the only candidate does not fit, and
            ``search_needs``.
    """
    if not workshop.recipe.search:
        return _decided(workshop, entries, examples, deadline, test=test, clock=clock)
    searching.check()
    decision = _decided(workshop, entries, examples, deadline, test=None, clock=clock)
    choose = partial(_corrected, workshop, examples)
    return searching.searched(workshop, decision, examples, deadline, clock, choose)


def _decided(
    workshop: Workshop,
    entries: list[Entry],
    examples: Examples,
    deadline: float,
    *,
    test: Examples | None,
    clock: Clock,
) -> Decision:
    notes = language_notes(workshop, examples)
    if len(entries) == 1:
        return _alone(workshop, entries[0], examples, deadline - clock(), notes, test=test)
    note = _fewer_repeats(workshop, entries)
    reserved = REPORT_SHARE * workshop.recipe.time_limit
    reserved += judging_seconds(workshop, examples, test)
    race = Race(workshop, examples, deadline - reserved, clock)
    race.run(entries)
    if race.shorter is None:
        return _settled(workshop, examples, entries, [*notes, *note])
    folds, workshop.recipe = workshop.recipe.folds, race.shorter
    decision = _settled(workshop, examples, entries, notes)
    told = fewer.note(next(e for e in entries if e.trained and e.assessed), folds)
    return replace(decision, notes=[*notes, told])


def without(workshop: Workshop, examples: Examples, decision: Decision, why: str) -> Decision:
    """The decision once its winner is out of the question."""
    gone = decision.entry
    gone.status, gone.why, gone.assessed = "stopped", why, None
    return _settled(workshop, examples, decision.entries, decision.notes)


def has_other(decision: Decision) -> bool:
    """Whether anything else could be the model."""
    others = (e for e in decision.entries if e.candidate != decision.candidate)
    return any(one.assessed is not None for one in others)


def _settled(
    workshop: Workshop, examples: Examples, entries: list[Entry], notes: list[tuple[str, str]]
) -> Decision:
    run = [entry for entry in entries if entry.assessed is not None]
    for entry in run:
        assert entry.assessed is not None
        entry.assessed = calibrated(workshop, entry.assessed, examples)
    choice = _choose(workshop, examples, run)
    winner = next(entry for entry in run if str(entry.candidate) == choice.winner)
    winner.status, winner.why = "chosen", choice.why
    return Decision(winner.candidate, entries, choice, workshop.recipe, notes)


def _alone(
    workshop: Workshop,
    entry: Entry,
    examples: Examples,
    left: float,
    notes: list[tuple[str, str]],
    *,
    test: Examples | None,
) -> Decision:
    """What was asked for by name: compared with nothing, and judged within the time if it can."""
    most = limits.most_of(workshop.recipe.memory_limit)
    if entry.memory_bytes > most:
        raise EnvironmentFault(
            "memory_too_small",
            f"{entry.candidate} {too_large(entry, most)}.",
            received=f"{most / 1e9:.1f} GB",
            allowed=f"{entry.memory_bytes / 1e9:.1f} GB or more",
            next="Raise --memory-limit if one was set, close other programs, lower "
            "--set max_length=128, or take a smaller backbone (`supertune models`).",
        )
    if test is not None and fitted_once(workshop, entry):
        entry.status, entry.why = "chosen", "asked for by name"
        return Decision(entry.candidate, [entry], None, workshop.recipe, notes)
    workshop.recipe, note = _folds_within(workshop, examples, entry, left)
    race = Race(workshop, examples, float("inf"))
    race.whole(entry, certain=True)
    decision = _settled(workshop, examples, [entry], [*notes, *note])
    entry.why = "asked for by name"
    return decision


def _fewer_repeats(workshop: Workshop, entries: list[Entry]) -> list[tuple[str, str]]:
    """Fewer repeats of cross-validation where the first candidate, which runs whatever the clock
    says, would take a large part of the time."""
    recipe, first = workshop.recipe, entries[0]
    if "repeats" in recipe.model_fields_set or recipe.max_candidates is not None:
        return []
    share = CHEAP_SHARE * recipe.time_limit / max(first.predicted_seconds, 1e-9)
    repeats = max(1, min(recipe.repeats, int(recipe.repeats * share)))
    if repeats == recipe.repeats:
        return []
    for entry in entries:
        if not entry.trained:
            entry.predicted_seconds *= repeats / recipe.repeats
    workshop.recipe = recipe.model_copy(update={"repeats": repeats})
    note = (
        f"{recipe.repeats} repeats of cross-validation would take about "
        f"{first.predicted_seconds / repeats * recipe.repeats:.0f} s for {first.candidate} alone; "
        f"{repeats} of them are used. Raise --time-limit or set repeats to change that."
    )
    return [("fewer_repeats", note)]


def _folds_within(
    workshop: Workshop, examples: Examples, entry: Entry, left: float
) -> tuple[Recipe, list[tuple[str, str]]]:
    """Fewer folds where the given number would take longer than the time limit."""
    recipe = workshop.recipe
    fixed = "folds" in recipe.model_fields_set or recipe.max_candidates is not None
    if not entry.trained or fixed:
        return recipe, []
    models = min(recipe.folds, feasible_folds(examples, recipe.folds))
    each = entry.predicted_seconds / (recipe.folds + 1)
    folds = models
    while folds > 2 and each * (folds + 1) > left:
        folds -= 1
    if folds == models:
        return recipe, []
    note = (
        f"{models}-fold cross-validation would take about {each * (models + 1):.0f} s; "
        f"{folds} folds are used. Raise --time-limit or set folds to change that."
    )
    return recipe.model_copy(update={"folds": folds}), [("fewer_folds", note)]


def _choose(workshop: Workshop, examples: Examples, run: list[Entry]) -> Choice:
    answers: dict[str, FloatArray] = {
        str(entry.candidate): entry.assessed.answers for entry in run if entry.assessed
    }
    order = [str(e.candidate) for e in sorted(run, key=lambda e: e.preference)]
    serving = {str(entry.candidate): entry.favoured for entry in run if entry.favoured}
    return _corrected(workshop, examples, answers, order, serving=serving)


def _corrected(
    workshop: Workshop,
    examples: Examples,
    answers: dict[str, FloatArray],
    order: list[str],
    *,
    serving: Mapping[str, str] | None = None,
) -> Choice:
    assert examples.targets is not None
    rival = workshop.objective.rivals[0][0]
    return corrected_choice(
        workshop.score(examples.labels),
        answers,
        examples.targets,
        workshop.metric,
        workshop.task.metrics[workshop.metric],
        order,
        tolerance=workshop.objective.tolerance,
        decider=workshop.objective.decider,
        serving=serving or {},
        seed=workshop.recipe.seed,
        baseline=answers.get(rival) if len(answers) > 1 else None,
        groups=examples.groups,
        weights=examples.weights,
        folds=min(workshop.recipe.folds, feasible_folds(examples, workshop.recipe.folds)),
    )
