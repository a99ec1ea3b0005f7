"""Hyper-parameters of the chosen method, searched on the folds that it was compared on.

Optuna's tree-structured Parzen estimator (Bergstra et al. 2011; Akiba et al. 2019,
arXiv:1907.10902) proposes settings, the first trial being those at hand. Every trial is a
candidate like any other: the estimate of what is kept is corrected for having chosen among all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from supertune import limits, registry
from supertune.choose.entries import Decision
from supertune.config import Recipe, method_options
from supertune.contracts import Examples, FloatArray, GradientMethod
from supertune.errors import EnvironmentFault
from supertune.evaluation.choice import Choice
from supertune.evaluation.resampling import Sampling, averaged
from supertune.limits import Clock, OutOfTime
from supertune.pipeline import Assessed, Workshop, assess

MARGIN = 1.2  # of the seconds of the trial before, that the next may take

Settings = Mapping[str, float | int]
Choose = Callable[[dict[str, FloatArray], list[str]], Choice]


@dataclass(frozen=True)
class _Trial:
    name: str
    settings: Settings
    assessed: Assessed


def check() -> None:
    """Refuse a search where Optuna is missing.

    Raises:
        EnvironmentFault: ``search_needs``.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise EnvironmentFault(
            "search_needs",
            "A search of hyper-parameters is done by Optuna, which is not installed.",
            received="search, without the package optuna",
            allowed="the extra `search`",
            next="pip install 'supertune[search]', or leave --search out.",
        ) from error


def ranges(recipe: Recipe, method: str) -> dict[str, tuple[float, float]]:
    """(low, high) of each hyper-parameter that would be searched: those that the method names
    and the person has not set."""
    options = method_options(recipe, method)
    given = recipe.options if recipe.method == method else {}
    found = {}
    for key, factor in type(options).ranges.items():
        if key not in given:
            value = getattr(options, key)
            found[key] = (value / factor, value * factor)
    return found


def searched(
    workshop: Workshop,
    decision: Decision,
    examples: Examples,
    deadline: float,
    clock: Clock,
    choose: Choose,
) -> Decision:
    """The decision with the best settings of its method found in as many trials as the recipe
    asks for, or as there is time for.

    Args:
        choose: as `supertune.choose.deciding`, among answers by name, in an order of names.
    """
    method, base = decision.candidate.method, decision.assessed
    space = ranges(workshop.recipe, method)
    if not space or base is None:
        why = f"{method} has no hyper-parameter to search" if not space else "nothing was folded"
        return replace(decision, notes=[*decision.notes, ("nothing_searched", f"{why}.")])
    trials = _trials(workshop, decision, examples, deadline, clock, space)
    answers = {
        str(entry.candidate): entry.assessed.answers
        for entry in sorted(decision.entries, key=lambda one: one.preference)
        if entry.assessed is not None
    }
    name = str(decision.candidate)
    order = list(answers)
    place = order.index(name) + 1  # its own defaults are the simplest settings
    order[place:place] = [trial.name for trial in trials]
    choice = choose({**answers, **{one.name: one.assessed.answers for one in trials}}, order)
    return _kept(workshop, decision, trials, choice)


def _kept(workshop: Workshop, decision: Decision, trials: list[_Trial], choice: Choice) -> Decision:
    tried = f"{len(trials)} settings of {decision.candidate} were tried"
    winner = next((one for one in trials if one.name == choice.winner), None)
    entry = decision.entry
    if winner is None:
        beyond = " by more than chance explains" if workshop.objective.tolerance else ""
        note = f"{tried}; none was better than the defaults{beyond}."
        entry.why = choice.why
        return replace(decision, choice=choice, notes=[*decision.notes, ("searched", note)])
    note = f"{tried} and {_spoken(winner.settings)} kept; the score is corrected for that."
    entry.assessed, entry.why = winner.assessed, choice.why
    recipe = _with(decision.recipe, entry.candidate.method, winner.settings)
    workshop.recipe = recipe
    own = str(decision.candidate)
    names = {winner.name: own, own: f"{own} (defaults)"}
    table = tuple(replace(one, name=names.get(one.name, one.name)) for one in choice.table)
    return replace(
        decision,
        choice=replace(choice, winner=own, table=table),
        recipe=recipe,
        notes=[*decision.notes, ("searched", note)],
    )


def _trials(
    workshop: Workshop,
    decision: Decision,
    examples: Examples,
    deadline: float,
    clock: Clock,
    space: Mapping[str, tuple[float, float]],
) -> list[_Trial]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    recipe, candidate = workshop.recipe, decision.candidate
    larger = workshop.task.metrics[workshop.metric]
    study = optuna.create_study(
        direction="maximize" if larger else "minimize",
        sampler=optuna.samplers.TPESampler(seed=recipe.seed, n_startup_trials=5),
    )
    shapes = _distributions(method_options(recipe, candidate.method), space)
    assert decision.assessed is not None
    start = {key: getattr(method_options(recipe, candidate.method), key) for key in space}
    scored = _score(workshop, decision.assessed, examples)
    study.add_trial(optuna.trial.create_trial(params=start, distributions=shapes, value=scored))
    trained = isinstance(registry.method(candidate.method), GradientMethod)
    folds = workshop.folds(examples)[: 1 if trained else None]
    final = decision.entry.predicted_seconds * decision.entry.final_share
    stop = math.inf if recipe.max_candidates is not None else deadline - final
    found: list[_Trial] = []
    spent = decision.assessed.seconds
    while len(found) < recipe.search and clock() + MARGIN * spent <= stop:
        trial = study.ask(shapes)
        own = replace(workshop, recipe=_with(recipe, candidate.method, trial.params))
        if workshop.progress is not None:
            workshop.progress(f"search {candidate}", len(found), recipe.search)
        begun = clock()
        try:
            with limits.until(stop, clock):
                assessed = assess(own, candidate, examples, folds)
        except OutOfTime:
            break
        spent = clock() - begun
        study.tell(trial, _score(workshop, assessed, examples))
        name = f"{candidate} ({_spoken(trial.params)}) #{len(found) + 1}"
        found.append(_Trial(name, dict(trial.params), assessed))
    return found


def _score(workshop: Workshop, assessed: Assessed, examples: Examples) -> float:
    """Mean over the repeats."""
    assert examples.targets is not None
    rows = Sampling(len(examples), workshop.recipe.seed, weights=examples.weights)
    score, whole = workshop.score(examples.labels), [rows.weighted(np.ones((1, rows.n)))]
    found = averaged(score, [assessed.answers], examples.targets, [workshop.metric], whole)
    return float(found[0, 0, 0])


def _distributions(options: Any, space: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """On a logarithmic scale; whole numbers stay whole."""
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        key: IntDistribution(max(1, round(low)), round(high), log=True)
        if isinstance(getattr(options, key), int)
        else FloatDistribution(low, high, log=True)
        for key, (low, high) in space.items()
    }


def _with(recipe: Recipe, method: str, settings: Settings) -> Recipe:
    given = recipe.options if recipe.method == method else {}
    return recipe.model_copy(update={"method": method, "options": {**given, **settings}})


def _spoken(settings: Settings) -> str:
    return ", ".join(f"{key} {value:.3g}" for key, value in sorted(settings.items()))
