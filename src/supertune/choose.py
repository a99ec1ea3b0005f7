"""Which backbone and which method, within a time limit, and how good the choice really is.

Candidates are ordered from cheap to dear and compared on the same folds. One that would not fit
into the time left is skipped, and says so. The simplest within one standard error of the best
wins, and its estimate is corrected for having been chosen (`supertune.evaluation.choice`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Literal

from supertune import registry
from supertune.config import Recipe, method_options
from supertune.contracts import Examples, FloatArray, GradientMethod, Offer, misfit
from supertune.data.language import guess_language, speaks
from supertune.errors import EnvironmentFault, InputError, SupertuneError
from supertune.evaluation.choice import Choice, corrected_choice
from supertune.evaluation.splits import feasible_folds
from supertune.pipeline import Assessed, Candidate, Folds, Workshop, assess, check
from supertune.training import estimate

SOLVING = 0.3  # seconds for all folds of a closed form
FINAL_SHARE = 0.15  # of the time limit, kept back for the final fit and the report
BACKBONES = ("minilm", "e5-small")  # tried by `auto`, in this order
NOT_TRIED = "not among those that `auto` tries; name it with --method"
Status = Literal["chosen", "compared", "stopped", "skipped"]


@dataclass
class Entry:
    """One candidate and what became of it."""

    candidate: Candidate
    predicted_seconds: float
    memory_bytes: int
    disk_bytes: int = 0
    status: Status = "skipped"
    why: str = ""
    assessed: Assessed | None = None


@dataclass
class Decision:
    """The winner, everything that was compared, and the estimate corrected for comparing."""

    candidate: Candidate
    entries: list[Entry]
    choice: Choice | None
    recipe: Recipe
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def assessed(self) -> Assessed | None:
        """The winner's own out-of-fold answers."""
        return next((e.assessed for e in self.entries if e.candidate == self.candidate), None)


def candidates(workshop: Workshop, examples: Examples, *, fetch: bool = True) -> list[Entry]:
    """What could be fitted, from cheap to dear; what cannot be says why.

    Raises:
        InputError: when a method and a backbone that were asked for by name do not fit.
    """
    recipe, rows = workshop.recipe, examples.modality
    if rows == "numbers" and recipe.backbone not in ("auto", "none"):
        raise _no_backbone_reads(recipe.backbone, examples)
    entries: list[Entry] = []
    offers, reasons = _offers(workshop, examples, fetch)
    for method in _methods(workshop, rows):
        named = registry.method(method)
        if not named.needs or rows == "numbers":
            if recipe.backbone not in ("auto", "none"):
                if recipe.method != "auto":
                    check(workshop, Candidate(recipe.backbone, method), fetch=fetch)
                continue
            check(workshop, Candidate(None, method), rows)
            entries.append(_entry(workshop, examples, Candidate(None, method), None))
            continue
        for name, offer in offers.items():
            if recipe.method == "auto" and misfit(named, workshop.task.objective, offer):
                continue
            candidate = Candidate(name, method)
            check(workshop, candidate, fetch=fetch)
            entries.append(_entry(workshop, examples, candidate, offer))
    if entries:
        entries.sort(key=lambda e: (_dear(e), _place(e.candidate), _simplicity(e.candidate)))
        _count_encoding_once(entries)
        return entries
    if reasons:
        raise reasons[0]
    raise InputError(
        "nothing_fits",
        f"No method fits backbone '{recipe.backbone}' and method '{recipe.method}'.",
        received=f"backbone {recipe.backbone}, method {recipe.method}",
        allowed=", ".join(m for m in registry.names("methods")),
        next="Leave one of them at 'auto'.",
    )


def _offers(
    workshop: Workshop, examples: Examples, fetch: bool
) -> tuple[dict[str, Offer], list[SupertuneError]]:
    """What the backbones to be tried can do, and why others cannot be had."""
    offers: dict[str, Offer] = {}
    reasons: list[SupertuneError] = []
    for name in backbones(workshop.recipe, examples):
        try:
            offers[name] = workshop.offer(name, fetch=fetch)
        except EnvironmentFault as error:
            if workshop.recipe.backbone != "auto":
                raise
            reasons.append(error)
    return offers, reasons


def _no_backbone_reads(backbone: str, examples: Examples) -> InputError:
    return InputError(
        "numbers_take_no_backbone",
        f"{backbone} reads texts, and these rows are columns of numbers.",
        received=f"backbone {backbone}; numbers in {', '.join(examples.columns[:12])}",
        allowed="auto or none",
        next="Leave --backbone out, or name a text with --text NAME.",
    )


def _count_encoding_once(entries: list[Entry]) -> None:
    """What is solved on features that an earlier candidate has read takes no reading."""
    read: set[str] = set()
    for entry in entries:
        name = entry.candidate.backbone
        if name is None or _dear(entry):
            continue
        if name in read:
            entry.predicted_seconds = min(entry.predicted_seconds, SOLVING)
        read.add(name)


def expected_seconds(recipe: Recipe, entries: list[Entry]) -> float:
    """What the candidates are expected to take together, at most the time limit for several."""
    loads = any(registry.method(entry.candidate.method).needs for entry in entries)
    total = sum(e.predicted_seconds for e in entries) + (estimate.LOADING if loads else 0.0)
    return min(total, recipe.time_limit) if len(entries) > 1 else total


def _methods(workshop: Workshop, rows: str) -> list[str]:
    if workshop.recipe.method != "auto":
        return [registry.method(workshop.recipe.method).name]
    return list(workshop.objective.tried(rows))


def backbones(recipe: Recipe, examples: Examples) -> list[str]:
    """Names of the backbones that would be tried."""
    if recipe.backbone == "none":
        return []
    if recipe.backbone != "auto":
        return [recipe.backbone]
    if recipe.method != "auto" and not registry.method(recipe.method).needs:
        return []
    if examples.modality != "text":
        return []
    language = guess_language(map(_joined, examples.inputs))
    return list(BACKBONES) if language in (None, "en") else ["e5-small"]


def _joined(value: Any) -> str:
    return value if isinstance(value, str) else " ".join(map(str, value))


def _dear(entry: Entry) -> bool:
    """Trained by gradients, fold by fold."""
    return isinstance(registry.method(entry.candidate.method), GradientMethod)


def _place(candidate: Candidate) -> int:
    return BACKBONES.index(candidate.backbone) if candidate.backbone in BACKBONES else -1


def _simplicity(candidate: Candidate) -> tuple[int, int]:
    return registry.method(candidate.method).simplicity, _place(candidate)


def _entry(
    workshop: Workshop, examples: Examples, candidate: Candidate, offer: Offer | None
) -> Entry:
    recipe, method = workshop.recipe, registry.method(candidate.method)
    options = method_options(recipe, candidate.method)
    tokens = 0 if offer is None else estimate.token_count(examples.inputs, recipe.max_length)
    count = recipe.folds * (1 if isinstance(method, GradientMethod) else recipe.repeats)
    return Entry(
        candidate,
        estimate.fit_seconds(method, options, offer, tokens, count),
        estimate.memory_bytes(method, options, offer, recipe.max_length),
        estimate.disk_bytes(method, options, offer, len(examples), tokens),
    )


def decide(
    workshop: Workshop,
    entries: list[Entry],
    examples: Examples,
    deadline: float,
    *,
    test: Examples | None,
) -> Decision:
    """Compare the candidates until ``deadline`` (``time.monotonic`` seconds) and choose.

    Args:
        entries: what `candidates` found for these rows; what becomes of each is written there.
        test: rows that the winner will be judged by. A single slow candidate then needs no
            folds, and the time to answer them is kept back.
    """
    recipe = workshop.recipe
    notes = language_notes(workshop, examples)
    if len(entries) == 1:
        entry = entries[0]
        if test is not None and _dear(entry):
            entry.status, entry.why = "chosen", "asked for by name"
            return Decision(entry.candidate, entries, None, recipe, notes)
        recipe, note = _folds_within(workshop, examples, entry, deadline)
        notes += note
        workshop.recipe = recipe
        _run(workshop, examples, entry, float("inf"))
        entry.status, entry.why = "chosen", "asked for by name"
    else:
        _race(workshop, examples, entries, deadline - _judging_seconds(workshop, entries, test))
    run = [entry for entry in entries if entry.assessed is not None]
    choice = _choose(workshop, examples, run)
    winner = next(entry for entry in run if str(entry.candidate) == choice.winner)
    if winner.status != "chosen":
        winner.status, winner.why = "chosen", choice.why
    return Decision(winner.candidate, entries, choice, recipe, notes)


def _race(workshop: Workshop, examples: Examples, entries: list[Entry], deadline: float) -> None:
    recipe = workshop.recipe
    stop = deadline - FINAL_SHARE * recipe.time_limit
    for number, entry in enumerate(entries):
        if recipe.max_candidates is not None:
            if number >= recipe.max_candidates:
                entry.why = f"beyond --max-candidates {recipe.max_candidates}"
                continue
            _run(workshop, examples, entry, float("inf"))
            continue
        left = stop - time.monotonic()
        # What everything is compared with runs in any case, and what costs next to nothing.
        certain = number < 2 or (entry.predicted_seconds <= SOLVING and not _dear(entry))
        if not certain and entry.predicted_seconds > left:
            entry.why = (
                f"would take about {entry.predicted_seconds:.0f} s and {max(left, 0):.0f} s of "
                f"the {recipe.time_limit:.0f} s were left"
            )
            continue
        _run(workshop, examples, entry, float("inf") if certain else stop)


def _judging_seconds(workshop: Workshop, entries: list[Entry], test: Examples | None) -> float:
    """One reading of the test rows by the dearest backbone."""
    if test is None or test.modality != "text":
        return 0.0
    tokens = estimate.token_count(test.inputs, workshop.recipe.max_length)
    names = {entry.candidate.backbone for entry in entries} - {None}
    offers = [workshop.offer(name) for name in names if name is not None]
    return max((estimate.encode_seconds(offer, tokens) for offer in offers), default=0.0)


class _OutOfTime(Exception):
    pass


def _run(workshop: Workshop, examples: Examples, entry: Entry, stop: float) -> None:
    started = time.monotonic()

    def tell(models: int, total: int | None) -> None:
        if workshop.progress is not None:
            workshop.progress(f"compare {entry.candidate}", models, total)

    def done(models: int, total: int) -> None:
        tell(models, total)
        spent = time.monotonic() - started
        if time.monotonic() + spent / models * (total - models) > stop:
            raise _OutOfTime

    tell(0, None)
    try:
        folds = _folds(workshop, entry, examples)
        entry.assessed = assess(workshop, entry.candidate, examples, folds, done=done)
        entry.status = "compared"
    except _OutOfTime:
        entry.status = "stopped"
        entry.why = "slower than predicted; it would not have ended within the time limit"


def _folds(workshop: Workshop, entry: Entry, examples: Examples) -> Folds:
    """All repeats for methods that solve; one for those trained by gradients."""
    return workshop.folds(examples)[: 1 if _dear(entry) else None]


def _folds_within(
    workshop: Workshop, examples: Examples, entry: Entry, deadline: float
) -> tuple[Recipe, list[tuple[str, str]]]:
    """Fewer folds where the given number would take longer than the time limit."""
    recipe = workshop.recipe
    fixed = "folds" in recipe.model_fields_set or recipe.max_candidates is not None
    if not _dear(entry) or fixed:
        return recipe, []
    left = deadline - time.monotonic()
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
    order = [str(e.candidate) for e in sorted(run, key=lambda e: _simplicity(e.candidate))]
    assert examples.targets is not None
    rival = workshop.objective.rivals[0][0]
    return corrected_choice(
        workshop.score(examples.labels),
        answers,
        examples.targets,
        workshop.metric,
        workshop.task.metrics[workshop.metric],
        order,
        seed=workshop.recipe.seed,
        baseline=answers.get(rival) if len(answers) > 1 else None,
        groups=examples.groups,
        weights=examples.weights,
        folds=min(workshop.recipe.folds, feasible_folds(examples, workshop.recipe.folds)),
    )


def language_notes(
    workshop: Workshop, examples: Examples, *, fetch: bool = True
) -> list[tuple[str, str]]:
    """A warning where a backbone asked for does not know the language of the rows."""
    names = backbones(workshop.recipe, examples)
    if not names or examples.modality != "text":
        return []
    language = guess_language(map(_joined, examples.inputs))
    for name in names:
        try:
            offer = workshop.offer(name, fetch=fetch)
        except EnvironmentFault:
            continue
        if not speaks(offer.languages, language):
            message = (
                f"The rows look like '{language}', but {name} was trained on "
                f"{', '.join(offer.languages)}. Try --backbone e5-small."
            )
            return [("language_mismatch", message)]
    return []
