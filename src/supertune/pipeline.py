"""The straight line: rows are read once and pass through here from top to bottom.

file → `read` → examples → `Workshop.lens` (backbone ∘ encoding ∘ cache) → `assess` (answers of
models that did not see the row) → `tune` (the model that is kept) → `verify` (what it noticed
about itself) → `judge` (scores).

What the answers out of fold say about new ones (`calibrated`, `calibration`) goes with the model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from supertune import limits, registry
from supertune.catalogue.entries import carrying, model
from supertune.catalogue.resolve import fetched
from supertune.config import Recipe, method_options
from supertune.contracts import (
    Answers,
    Asked,
    Bounding,
    Calibrating,
    Columns,
    Consenting,
    Encoding,
    Examples,
    Finding,
    FloatArray,
    HeadSpec,
    Input,
    IntArray,
    Judge,
    Method,
    Offer,
    Problem,
    Prompt,
    Reading,
    Task,
    Tuned,
    features,
    misfit,
    modality_of,
)
from supertune.contracts.remote import Account, Terms, account
from supertune.errors import InputError, unknown_name
from supertune.evaluation import novelty
from supertune.evaluation.splits import feasible_folds, repeated_folds
from supertune.opening import Progress, activation_cache, open_backbone, reference
from supertune.prompts import asking
from supertune.training import fitting
from supertune.training.cache import ActivationCache
from supertune.training.lens import CachedLens

Folds = list[list[tuple[IntArray, IntArray]]]
Done = Callable[[int, int], None] | None  # told (folds done, of how many)


def read(data: Any, recipe: Recipe, test: Any = None) -> Reading:
    """The rows of ``data``, checked, in the order of their content."""
    limits.use_threads(recipe.threads)
    reading = registry.task(recipe.task).read(data, columns(recipe), test=test)
    held = None if reading.test is None else reading.test.canonical()
    whole = None if reading.whole is None else reading.whole.canonical()
    return replace(reading, train=reading.train.canonical(), test=held, whole=whole)


def noticed(examples: Examples, recipe: Recipe) -> list[Finding]:
    """What a person should know about rows to learn from under this recipe."""
    judge = registry.objective(registry.task(recipe.task).objective)
    rows = registry.modality(examples.modality)
    found = rows.noticed(examples, recipe.max_length) + judge.noticed(examples, recipe.folds)
    return [replace(finding, rows=tuple(sorted(finding.rows))) for finding in found]


def columns(recipe: Recipe) -> Columns:
    """Which columns the recipe names."""
    return Columns(**{each.name: getattr(recipe, each.name) for each in fields(Columns)})


def as_written(recipe: Recipe, reading: Reading) -> Recipe:
    """The recipe with the template that the rows themselves are written in, if they are in one
    and the person gave none."""
    template = recipe.template or reading.columns.template
    return recipe.model_copy(update={"template": template})


def labelled(examples: Examples) -> Examples:
    """Only the rows that carry an answer."""
    return (
        examples if examples.targets is None else examples.take(np.flatnonzero(examples.answered))
    )


@dataclass(frozen=True)
class Candidate:
    """One thing that could be fitted: a method, and a backbone by name if it takes one."""

    backbone: str | None
    method: str

    def __str__(self) -> str:
        return self.method if self.backbone is None else f"{self.backbone} + {self.method}"


@dataclass(eq=False)
class Assessed:
    """Answers (R, n, C) to each row by models that did not see it, and what that took.

    ``calibrated`` says what was done to make the answers mean what they say; empty before.
    """

    candidate: Candidate
    answers: FloatArray
    seconds: float
    calibrated: Mapping[str, Any] = field(default_factory=dict)


class Begin(Protocol):
    """Begins to cross-fit a candidate; what comes back waits for its (R, n, C) logits. Several
    that were begun need not wait for one another."""

    def __call__(
        self, workshop: Workshop, candidate: Candidate, examples: Examples, folds: Folds, done: Done
    ) -> Callable[[], FloatArray]: ...


def here(
    workshop: Workshop, candidate: Candidate, examples: Examples, folds: Folds, done: Done = None
) -> Callable[[], FloatArray]:
    """A `Begin` of this process: it begins when somebody waits."""

    def logits() -> FloatArray:
        method = registry.method(candidate.method)
        problem = workshop.problem(examples, candidate.backbone)
        options = method_options(workshop.recipe, candidate.method)
        with limits.within(workshop.recipe.memory_limit):
            return fitting.out_of_fold(method, problem, options, folds, done=done)

    return logits


@dataclass(eq=False)
class Workshop:
    """What the steps of one fit share: recipe, task, opened backbones, activation cache."""

    recipe: Recipe
    progress: Progress | None = None
    store: ActivationCache = field(default_factory=activation_cache)
    unlabelled: tuple[Input, ...] = ()  # rows without an answer, none of them among the examples
    account: Account = field(default_factory=account)  # of what is sent to servers
    begin: Begin = here  # who cross-fits
    _lenses: dict[str, CachedLens] = field(default_factory=dict)
    _prompts: dict[tuple[str, ...], tuple[Prompt, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limits.use_threads(self.recipe.threads)

    @property
    def task(self) -> Task:
        return registry.task(self.recipe.task)

    @property
    def objective(self) -> Judge:
        return registry.objective(self.task.objective)

    @property
    def metric(self) -> str:
        wanted = self.recipe.metric or self.task.default_metric
        if self.recipe.metric is None and self.recipe.cost_matrix is not None:
            wanted = "cost"
        if wanted not in self.task.metrics:
            raise unknown_name("metric", wanted, self.task.metrics)
        return wanted

    def encoding(self) -> Encoding:
        recipe = self.recipe
        return Encoding(
            recipe.max_length,
            recipe.long_text,
            recipe.pooling,
            recipe.prefix,
            reuse=recipe.reuse,
            resolution=recipe.resolution,
            layer=recipe.layer,
            resize_mode=recipe.resize_mode,
            language=recipe.language,
            hints=recipe.hints,
            domain_text=recipe.domain_text,
            source_language=recipe.source_language,
            target_language=recipe.target_language,
        )

    @property
    def terms(self) -> Terms:
        """Under which conditions rows may be sent to a server."""
        said = self.recipe
        return Terms(
            said.allow_remote,
            said.base_url,
            said.max_cost,
            said.max_requests,
            said.prices,
            said.request_timeout,
            said.api,
            kept=self.store,
            account=self.account,
        )

    def offer(self, backbone: str, *, fetch: bool = True) -> Offer:
        """What a backbone can do at the recipe's resolution; its files are fetched if need be, no
        weight is read. Without ``fetch`` one of the catalogue that is not here yet is described by
        its entry."""
        entry = model(backbone)
        if not fetch and entry is not None and fetched(entry) is None:
            return entry.offer.at(self.recipe.resolution)
        ref = reference(backbone, self.progress, fetch=fetch, terms=self.terms)
        return registry.engine(ref.engine).offers(ref).at(self.recipe.resolution)

    def lens(self, backbone: str | None) -> CachedLens | None:
        if backbone is None:
            return None
        if backbone not in self._lenses:
            ref = reference(backbone, self.progress, terms=self.terms)
            opened = open_backbone(ref, self.recipe)
            told = None if self.progress is None else partial(self.progress, f"encode {ref.name}")
            self._lenses[backbone] = CachedLens(opened, self.encoding(), self.store, told)
        return self._lenses[backbone]

    def precision(self, backbone: str | None) -> str:
        """Of a backbone's matrix products; what ``"auto"`` comes to on this machine."""
        lens = self.lens(backbone)
        return self.recipe.precision if lens is None else lens.backbone.precision

    def problem(self, examples: Examples, backbone: str | None) -> Problem:
        weighted = replace(examples, weights=self.row_weights(examples))
        head = self.task.head(examples)
        prompts = self.prompts(examples)
        return Problem(
            weighted,
            head,
            self.lens(backbone),
            self.recipe.seed,
            prompts=prompts,
            unlabelled=self.unlabelled,
            varied=registry.modality(examples.modality).varied,
            fields=self.recipe.text,
        )

    def prompts(self, examples: Examples) -> tuple[Prompt, ...]:
        """What these rows may be asked by, the default first; the same for all rows of a fit,
        since the language is that of the first rows that came here, which are all of them."""
        if examples.labels not in self._prompts:
            self._prompts[examples.labels] = asking.prompts(self.recipe, self.task, examples)
        return self._prompts[examples.labels]

    def row_weights(self, examples: Examples) -> FloatArray | None:
        """Row weights times class weights, mean 1; None when all are equal."""
        return self.objective.row_weights(examples, self.recipe.class_weights)

    def folds(self, examples: Examples, repeats: int | None = None) -> Folds:
        """``repeats`` times the recipe's number of folds, or as many as the rows allow."""
        return repeated_folds(
            examples,
            folds=min(self.recipe.folds, feasible_folds(examples, self.recipe.folds)),
            repeats=repeats or self.recipe.repeats,
            seed=self.recipe.seed,
        )

    def costs(self, labels: Sequence[str]) -> FloatArray | None:
        return self.objective.costs(labels, self.recipe.cost_matrix)

    def score(
        self, labels: Sequence[str]
    ) -> Callable[[FloatArray, npt.NDArray[Any], FloatArray | None], dict[str, FloatArray]]:
        return partial(_score, self.task, self.costs(labels))

    def answers(self, logits: FloatArray, labels: tuple[str, ...], head: HeadSpec) -> FloatArray:
        """(n, C) what is scored of a method's outputs."""
        return self.task.decode(logits, labels, head).scored


def _score(
    task: Task,
    costs: FloatArray | None,
    answers: FloatArray,
    targets: npt.NDArray[Any],
    weights: FloatArray | None = None,
) -> dict[str, FloatArray]:
    return task.score(answers, targets, weights, costs)


def check_settings(workshop: Workshop, examples: Examples) -> None:
    """Refuse a prompt, metric, costs or class weights that these rows cannot have, before any
    training.

    Raises:
        InputError: ``unknown_metric``, ``metric_does_not_fit``, ``bad_cost_matrix``,
            ``bad_class_weight``, ``unknown_label``, ``no_classes``, ``no_max_error``,
            ``consent_missing``, and as `supertune.prompts.asking.check`.
    """
    asking.check(workshop.recipe, workshop.task, examples)
    judge, score = workshop.objective, workshop.score(examples.labels)
    if isinstance(judge, Consenting):
        judge.agreed(workshop.recipe.consent)
    judge.check(Asked(max_error=workshop.recipe.max_error))
    metric, targets = workshop.metric, examples.targets
    workshop.row_weights(examples)
    assert targets is not None
    known = score(judge.unknowing(examples), targets, None)
    if metric not in known:
        costly = metric == "cost" and not examples.multi_label
        raise InputError(
            "metric_does_not_fit",
            f"These rows cannot be scored by {metric}.",
            received=f"{metric}, "
            + ("several labels a row" if examples.multi_label else "one label a row")
            + (", no costs" if costly else ""),
            allowed=", ".join(sorted(known)),
            next="Give the costs: --set cost_matrix='[[0, 1], [5, 0]]'."
            if costly
            else "Choose one of these with --metric.",
        )


def check(
    workshop: Workshop, candidate: Candidate, rows: str = "text", *, fetch: bool = True
) -> None:
    """Refuse by name, before loading, what cannot work with such rows (`Examples.modality`);
    ``fetch`` as in `Workshop.offer`."""
    method = registry.method(candidate.method)
    offer = None
    if candidate.backbone is not None:
        offer = workshop.offer(candidate.backbone, fetch=fetch)
    why = misfit(method, workshop.task.objective, offer, rows)
    if why is not None:
        others = " or ".join(_carriers(method, workshop.task.objective, rows))
        raise InputError(
            "method_does_not_fit",
            f"{candidate} cannot serve {workshop.task.name}: {why}.",
            received=str(candidate),
            allowed=", ".join(fitting_methods(workshop.task, offer, rows)),
            next=(f"Take --backbone {others}; " if others and method.needs else "")
            + "`supertune methods` prints what works with what.",
        )


def _carriers(method: Method, objective: str, rows: str) -> list[str]:
    """Models of the catalogue that can carry a method on such rows; where there are none, what is
    at a server that can."""
    if found := carrying(method, objective, rows):
        return found
    typical = ((one, getattr(one, "typical", None)) for one in registry.engines())
    return [
        f"{one.prefix}:MODEL"
        for one, offer in typical
        if hasattr(one, "prefix") and offer and misfit(method, objective, offer, rows) is None
    ]


def fitting_methods(task: Task, offer: Offer | None, rows: str) -> list[str]:
    """Names of the methods that could serve."""
    return [m.name for m in registry.methods() if misfit(m, task.objective, offer, rows) is None]


def assess(
    workshop: Workshop,
    candidate: Candidate,
    examples: Examples,
    folds: Folds,
    *,
    done: Done = None,
) -> Assessed:
    """Cross-fit ``candidate`` over ``folds``; nothing that judges a row has seen it."""
    return begin(workshop, candidate, examples, folds, done=done)()


def begin(
    workshop: Workshop,
    candidate: Candidate,
    examples: Examples,
    folds: Folds,
    *,
    done: Done = None,
) -> Callable[[], Assessed]:
    """`assess`, as far as it goes without waiting for it."""
    wait = workshop.begin(workshop, candidate, examples, folds, done)

    def assessed() -> Assessed:
        started, head = time.perf_counter(), workshop.task.head(examples)
        answers = [workshop.answers(each, examples.labels, head) for each in wait()]
        return Assessed(candidate, np.stack(answers), time.perf_counter() - started)

    return assessed


def calibrated(workshop: Workshop, assessed: Assessed, examples: Examples) -> Assessed:
    """The same answers, made to mean what they say where that helps; once.

    A method that calibrates its own probabilities on all of its rows is left alone: the models of
    the folds had fewer, and what they need is not what it needs.
    """
    judge = workshop.objective
    if assessed.calibrated or not isinstance(judge, Calibrating):
        return assessed
    if getattr(registry.method(assessed.candidate.method), "calibrates", False):
        return replace(assessed, calibrated={"own": True})
    folds = workshop.folds(examples)[: len(assessed.answers)]
    answers, done = judge.calibrated(assessed.answers, examples, folds)
    return replace(assessed, answers=answers, calibrated=done)


def calibration(
    workshop: Workshop, candidate: Candidate, examples: Examples, assessed: Assessed | None
) -> dict[str, npt.NDArray[Any]]:
    """What the model keeps to be calibrated, to bound its answers, and to know rows unlike those
    learned from; nothing of the first two where no row was answered out of fold."""
    found: dict[str, npt.NDArray[Any]] = {}
    if assessed is not None:
        judge = workshop.objective
        if isinstance(judge, Bounding):
            costs = workshop.costs(examples.labels)
            found |= judge.calibration(assessed.answers, examples, costs)
        if assessed.calibrated.get("temperature", 1.0) != 1.0:
            found["temperature"] = np.array([assessed.calibrated["temperature"]])
    views = viewed(workshop, candidate.backbone, examples.inputs, prediction=False)
    own = {"form", *(["meaning"] if candidate.backbone is None else [])}
    return found | novelty.learned(views, examples.groups, own)


def viewed(
    workshop: Workshop, backbone: str | None, inputs: Sequence[Input], *, prediction: bool = True
) -> dict[str, FloatArray]:
    """(n, d) by which rows are compared with those learned from: ``meaning``, features of the
    backbone or the rows' own numbers, where there are any; ``form``, how they are made."""
    rows, lens = registry.modality(modality_of(inputs)), workshop.lens(backbone)
    found: dict[str, FloatArray] = {}
    offer = None if lens is None else lens.backbone.offer
    if (
        rows.vectors
        if offer is None
        else "features" in offer.capabilities and offer.modality == rows.name
    ):
        found["meaning"] = features(inputs, lens, prediction=prediction)
    form = rows.form(inputs)
    return found if form is None else {**found, "form": form}


def as_calibrated(logits: FloatArray, calibration: Mapping[str, npt.NDArray[Any]]) -> FloatArray:
    """(n, C) scores as the answers out of fold say they should be."""
    if "temperature" not in calibration:
        return logits
    return np.asarray(logits / float(calibration["temperature"][0]))


def tune(workshop: Workshop, candidate: Candidate, examples: Examples) -> Tuned:
    """The model that is kept: ``candidate`` on all rows."""
    method = registry.method(candidate.method)
    problem = workshop.problem(examples, candidate.backbone)
    if workshop.progress is not None:
        stage = partial(workshop.progress, f"tune {candidate}")
        problem = replace(problem, progress=stage, told=workshop.progress)
    with limits.within(workshop.recipe.memory_limit):
        return fitting.fit(method, problem, method_options(workshop.recipe, candidate.method))


def verify(
    workshop: Workshop, candidate: Candidate, tuned: Tuned, examples: Examples
) -> tuple[Finding, ...]:
    """What the fit of ``tuned`` noticed, and whether it holds; see `supertune.training.verify`."""
    from supertune.training.verify import verified

    method = registry.method(candidate.method)
    problem = workshop.problem(examples, candidate.backbone)
    return verified(method, problem, method_options(workshop.recipe, candidate.method), tuned)


def predict(
    workshop: Workshop,
    candidate: Candidate,
    tuned: Tuned,
    examples: Examples,
    calibration: Mapping[str, npt.NDArray[Any]] | None = None,
) -> Answers:
    """Answers of a tuned model to rows, through prediction's own batches."""
    logits = tuned.logits(examples.inputs, workshop.lens(candidate.backbone))
    logits = as_calibrated(logits, calibration or {})
    head = workshop.task.head(examples)
    return workshop.task.decode(logits, examples.labels, head, workshop.costs(examples.labels))
