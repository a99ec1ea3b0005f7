"""What a method needs and owes, what it is asked, and when it cannot serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from supertune.contracts.backbone import Injection, Lens, Offer, Prompt
from supertune.contracts.data import Examples, Finding, FloatArray, Input, IntArray
from supertune.contracts.task import HeadSpec


@dataclass(frozen=True)
class StateFile:
    """One safetensors file in a format of another library."""

    arrays: Mapping[str, npt.NDArray[Any]]
    header: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """The tuned numbers of a model: named arrays, and JSON settings needed to restore them.

    What PEFT made is kept apart under PEFT's own names, to be saved in PEFT's own two files. What
    another library reads by itself is in ``files``: by the name of a safetensors file, its arrays
    and the texts of its header.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    adapter: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    adapter_config: Mapping[str, Any] | None = None
    files: Mapping[str, StateFile] = field(default_factory=dict)


class Tuned(Protocol):
    """A fitted method."""

    @property
    def tuned_parameters(self) -> int: ...

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, C) scores before softmax or sigmoid, calibrated where the method can; of a task
        that asks for values, the values."""
        ...

    def state(self) -> State: ...


@runtime_checkable
class Replaying(Tuned, Protocol):
    """A `Tuned` that can start at activations which learning has kept already."""

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, C) scores of rows that belong to the problem but not to the training side of a
        fold: those of `Tuned.logits` but for float32 rounding, through the lens' activations.
        What a finished model predicts never comes from here."""
        ...


@runtime_checkable
class Asking(Protocol):
    """A `Tuned` that may ask in words: ``prompt`` is what it asks by, None where it reads vectors
    instead."""

    @property
    def prompt(self) -> Prompt | None: ...


def asked_by(tuned: Tuned) -> Prompt | None:
    """What a fitted method asks by, None where it does not ask in words."""
    return tuned.prompt if isinstance(tuned, Asking) else None


@dataclass(frozen=True)
class Curve:
    """How a number changed while a method learned.

    Attributes:
        name: what it is, e.g. ``"loss"``.
        along: what it is drawn against, e.g. ``"step"``.
        points: (place, value) pairs, places ascending.
    """

    name: str
    along: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Coefficient:
    """One tuned number that has a meaning of its own, in the units of the rows.

    ``low`` and ``high`` are the ends of its 95 % interval, None where none can be given.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Notes:
    """What a fitted method has to show beside its scores; the report prints it.

    ``about`` says how the intervals of the coefficients were found, or why there are none;
    ``asked`` names the parts of a prompt, with what they are; ``unlabelled`` says what rows
    without an answer were worth, as JSON.
    """

    curves: tuple[Curve, ...] = ()
    coefficients: tuple[Coefficient, ...] = ()
    about: str = ""
    asked: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    unlabelled: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Noted(Protocol):
    """A `Tuned` that was just fitted may have notes; a restored one need not."""

    def notes(self) -> Notes: ...


class Options(BaseModel):
    """Base of a method's own recipe keys: frozen, unknown keys refused.

    ``ranges``: numbers that are worth searching, each from its value divided by a factor to its
    value times that factor, on a logarithmic scale.
    """

    ranges: ClassVar[Mapping[str, float]] = {}
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, eq=False)
class Problem:
    """What a method is asked to learn from, and under which conditions."""

    examples: Examples
    head: HeadSpec
    lens: Lens | None
    seed: int
    progress: Any = None  # callable(done: int, total: int) or None
    told: Any = None  # callable(stage: str, done: int, total: int | None), of what has stages
    fields: tuple[str, ...] = ()  # the columns that inputs were read from, where that is known
    prompts: tuple[Prompt, ...] = ()  # the person's, or presets; for methods that ask in words
    unlabelled: tuple[Input, ...] = ()  # rows without an answer, none of them among the examples
    varied: Callable[[Input, int], Input] | None = None  # see `Modality.varied`
    together: int = 1  # so many rows in a row are views of the first, which alone is judged

    @property
    def prompt(self) -> Prompt | None:
        """The one to ask by first."""
        return next(iter(self.prompts), None)

    @property
    def features(self) -> FloatArray:
        """(n, d): the backbone's features of the rows, or their own numbers."""
        return features(self.examples.inputs, self.lens, prediction=False)


def features(
    inputs: Sequence[Input], lens: Lens | None, *, width: int = 0, prediction: bool = True
) -> FloatArray:
    """(n, d) float32 that a backbone makes of inputs; without one, inputs are tuples of numbers
    and stand for themselves in float64. ``width`` is d where there may be no input to tell."""
    if lens is not None:
        return lens.features(inputs, prediction=prediction)
    rows = [value for value in inputs if isinstance(value, tuple)]
    if len(rows) < len(inputs):
        raise TypeError("a text or picture has no features without a backbone")
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), len(rows[0]) if rows else width)


class Method(Protocol):
    """One file in ``methods/``; the file's name is the key.

    What every method declares; it is also either a `Solver` or a `GradientMethod`. ``needs``
    empty means that no backbone takes part. Rows of numbers are features by themselves, so what
    needs nothing else serves them without a backbone. ``simplicity`` orders candidates, of
    whom no two that serve one objective have the same: of equally good ones (`Judge.tolerance`,
    `Judge.decider`) the lowest wins.

    One that reads rows of some kinds alone, whatever backbone is offered, names them in an
    attribute ``modalities``. One whose keys have other defaults for an objective has these in an
    attribute ``options_for``, by objective (`options_of`). One that learns from rows without an
    answer too says so with an attribute ``takes_unlabelled = True``, and with
    ``holds_unlabelled = True`` where its models keep some of them. One whose probabilities are
    calibrated by rows that it left out says so with an attribute ``calibrates = True``; of others
    it is done from the answers of cross-validation. One of which each fit is paid for says so with
    an attribute ``paid = True``: it is fitted once, judged by rows that are set aside where no
    others are given, never cross-validated, and its options have a key ``set_aside``.
    """

    name: str
    summary: str
    reference: str
    needs: frozenset[str]
    objectives: frozenset[str]
    simplicity: int
    options: type[Options]


@runtime_checkable
class Solver(Method, Protocol):
    """A method that finds its numbers by itself: closed forms, counts, prompts.

    One whose models hold labelled rows says so with an attribute ``holds_rows = True``, of its
    own or, where it depends on them, of its options; it is then refused where no rows may be kept.
    """

    def fit(self, problem: Problem, options: Any) -> Tuned: ...
    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Tuned: ...


@runtime_checkable
class FoldSolver(Solver, Protocol):
    """A solver that answers all cross-validation folds as one problem."""

    def out_of_fold(
        self, problem: Problem, options: Any, folds: Sequence[tuple[IntArray, IntArray]]
    ) -> list[FloatArray]:
        """For each (train, test) pair of row indices, the (rows in test, C) logits of a model
        fitted on train; equal to fitting one by one within float32 rounding."""
        ...


@runtime_checkable
class GradientMethod(Method, Protocol):
    """A method trained by the shared loop: it only says what is tuned, the engine injects it.

    One that does not go over its rows in epochs says with a function ``passes(options, rows)``
    what a fit takes, in passes of each row through the whole backbone.
    """

    def injection(self, offer: Offer, options: Any) -> Injection: ...


class GradientOptions(Options):
    """Recipe keys of every method trained by gradient descent."""

    ranges: ClassVar[Mapping[str, float]] = {"learning_rate": 5.0, "epochs": 2.0}
    # Learning rates of a method by objective, where that has a loop and a usual rate of its own.
    rates: ClassVar[Mapping[str, float]] = {}
    epochs: int = Field(12, ge=1, le=1000)
    learning_rate: float = Field(1e-3, gt=0, le=1)
    head_learning_rate: float | None = Field(
        None, gt=0, le=1, description="of a linear head on features; by default the learning_rate"
    )
    batch_size: int = Field(32, ge=1, le=4096)
    weight_decay: float = Field(0.01, ge=0)
    readout: Literal["auto", "head", "verbalizer"] = Field(
        "auto",
        description="answers from a linear head on features or from label words in a prompt; "
        "'auto' asks in words where the backbone can",
    )
    search_template: bool = Field(
        False,
        description="ask by the template that prompt_search finds on the rows, not by the first",
    )
    head_start: Literal["solved", "softened", "zero"] = Field(
        "solved",
        description="the closed-form head first, then tuning (LP-FT, arXiv:2202.10054); "
        "'softened' scales it down to its log loss on rows left out, which label_smoothing does "
        "too",
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="in the backbone's dropout layers above the cut, and before "
        "the head; below the cut there is none, since activations are computed once: see "
        "cached_augmentations",
    )
    cached_augmentations: int = Field(
        0,
        ge=0,
        le=64,
        description="how many activations are kept of each row with dropout below the cut too, "
        "taken in turn by the epochs; 0 keeps one without",
    )
    views: int = Field(
        0,
        ge=0,
        le=32,
        description="further views of each picture or recording (mirrored, cropped; shifted, with "
        "noise), taken in turn by the epochs; what is below the cut is computed once of each",
    )
    r_drop: float = Field(
        0.0, ge=0, le=10, description="weight of R-Drop (arXiv:2106.14448); needs dropout"
    )
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="each block below the top learns slower by this factor"
    )
    early_stopping: float = Field(
        0.0, ge=0, le=0.5, description="share of the rows held out to stop by; 0 goes to the end"
    )
    interpolation: float = Field(
        1.0,
        gt=0,
        le=1,
        description="how far to go from the start to the tuned numbers; 0.5 takes their mean, "
        "meant for rows from elsewhere (WiSE-FT, arXiv:2109.01903)",
    )
    seeds: int = Field(
        1,
        ge=1,
        le=20,
        description="runs from one start in other orders, their numbers averaged "
        "(model soups, arXiv:2203.05482)",
    )


# What rows of a kind offer by themselves, whatever reads them.
OFFERED_BY: Mapping[str, frozenset[str]] = {
    "numbers": frozenset({"features"}),
    "text": frozenset({"tokens", "names", "linears"}),
}


BACKBONE = "backbone"  # needed by a method that asks nothing of one but what its objective does

# What a backbone reads of rows that it cannot read themselves: the texts of items.
READ_OF: Mapping[str, str] = {"interactions": "text"}


# What a backbone must offer to be asked so, whatever the method; and what it offers that answers
# nothing else, unless it has features too.
ASKED_OF: Mapping[str, str] = {
    "detect": "detect",
    "denoise": "denoise",
    "stylize": "stylize",
    "transcribe": "transcribe",
    "translate": "translate",
    "generate": "generate",
    "synthesise": "synthesise",
}


def needed(method: Method, objective: str, offer: Offer) -> frozenset[str]:
    """What a method needs of a backbone for an objective."""
    if objective in ASKED_OF:
        return method.needs | {ASKED_OF[objective]}
    # What writes texts may be asked for a word as well.
    answers_otherwise = offer.capabilities & ({*ASKED_OF.values()} - {"generate"})
    return method.needs | ({"features"} if answers_otherwise else frozenset[str]())


def offered(offer: Offer) -> frozenset[str]:
    """What a backbone offers, with what its inputs offer by themselves."""
    return offer.capabilities | OFFERED_BY.get(offer.modality, frozenset()) | {BACKBONE}


def misfit(method: Method, objective: str, offer: Offer | None, rows: str = "text") -> str | None:
    """Why ``method`` cannot serve, in words, or None when it can. Nothing is loaded.

    Args:
        offer: of the backbone; None where none takes part.
        rows: what the inputs are, as `Examples.modality` says. Numbers are features by
            themselves, and no backbone reads them.
    """
    if objective not in method.objectives:
        served = ", ".join(sorted(method.objectives))
        return f"{method.name} serves {served}, not {objective}"
    read = getattr(method, "modalities", (rows,))
    if rows not in read:
        return f"{method.name} reads {', '.join(read)}, not {rows}"
    if rows == "numbers":  # see `Modality.vectors`
        missing = method.needs - OFFERED_BY["numbers"]
        if offer is not None:
            return "columns of numbers are read without a backbone"
        return _lacking(method, missing, "a table of numbers") if missing else None
    if not method.needs:
        return None if offer is None else f"{method.name} takes no backbone"
    if offer is None:
        return f"{method.name} needs a backbone with {', '.join(sorted(method.needs))}"
    if offer.modality != READ_OF.get(rows, rows):
        return f"{offer.architecture} reads {offer.modality}, not {rows}"
    missing = needed(method, objective, offer) - offered(offer)
    if offer.tunes and "torch" in missing and isinstance(method, GradientMethod):
        missing -= {"torch"}
        if not missing:
            return _not_stepped(method, objective, offer)
    return _lacking(method, missing, offer.architecture) if missing else None


def _not_stepped(method: GradientMethod, objective: str, offer: Offer) -> str | None:
    """Why an engine that takes gradient steps by itself does not take these (`Stepping`)."""
    injection = method.injection(offer, method.options())
    missing = {injection.kind, injection.criterion, objective} - offer.tunes
    if not missing:
        return None
    what = f"{method.name} needs training by {', '.join(sorted(missing))}"
    return f"{what}, which the engine of {offer.architecture} does not carry out"


def _lacking(method: Method, missing: frozenset[str], what: str) -> str:
    return f"{method.name} needs {', '.join(sorted(missing))}, which {what} lacks"
