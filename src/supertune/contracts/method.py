"""What a method needs and owes, what it is asked, and when it cannot serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from supertune.contracts.backbone import Injection, Lens, Offer, Prompt
from supertune.contracts.data import Examples, FloatArray, Input, IntArray
from supertune.contracts.task import HeadSpec


@dataclass(frozen=True)
class State:
    """The tuned numbers of a model: named arrays, and JSON settings needed to restore them.

    What PEFT made is kept apart under PEFT's own names, to be saved in PEFT's own two files.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    adapter: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    adapter_config: Mapping[str, Any] | None = None


class Tuned(Protocol):
    """A fitted method."""

    @property
    def tuned_parameters(self) -> int: ...

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, C) scores before softmax or sigmoid, calibrated where the method can."""
        ...

    def state(self) -> State: ...


class Options(BaseModel):
    """Base of a method's own recipe keys: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, eq=False)
class Problem:
    """What a method is asked to learn from, and under which conditions."""

    examples: Examples
    head: HeadSpec
    lens: Lens | None
    seed: int
    progress: Any = None  # callable(done: int, total: int) or None
    prompts: tuple[Prompt, ...] = ()  # the person's, or presets; for methods that ask in words

    @property
    def prompt(self) -> Prompt | None:
        """The one to ask by first."""
        return next(iter(self.prompts), None)


class Method(Protocol):
    """One file in ``methods/``; the file's name is the key.

    What every method declares; it is also either a `Solver` or a `GradientMethod`. ``needs``
    empty means that no backbone takes part. ``simplicity`` orders candidates: of those within
    one standard error of the best, the lowest wins.
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
    """A method that finds its numbers by itself: closed forms, counts, prompts."""

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
    """A method trained by the shared loop: it only says what is tuned, the engine injects it."""

    def injection(self, offer: Offer, options: Any) -> Injection: ...


class GradientOptions(Options):
    """Recipe keys of every method trained by gradient descent."""

    epochs: int = Field(12, ge=1, le=1000)
    learning_rate: float = Field(1e-3, gt=0, le=1)
    batch_size: int = Field(32, ge=1, le=4096)
    weight_decay: float = Field(0.01, ge=0)
    readout: Literal["auto", "head", "verbalizer"] = Field(
        "auto",
        description="answers from a linear head on features or from label words in a prompt; "
        "'auto' asks in words where the backbone can",
    )
    head_start: Literal["solved", "zero"] = Field(
        "solved", description="the closed-form head first, then tuning (LP-FT, arXiv:2202.10054)"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="in the backbone's dropout layers above the cut, and before "
        "the head; below the cut there is none, since activations are computed once",
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
    seeds: int = Field(
        1,
        ge=1,
        le=20,
        description="runs from one start in other orders, their numbers averaged "
        "(model soups, arXiv:2203.05482)",
    )


def misfit(method: Method, objective: str, offer: Offer | None) -> str | None:
    """Why ``method`` cannot serve, in words, or None when it can. Nothing is loaded."""
    if objective not in method.objectives:
        served = ", ".join(sorted(method.objectives))
        return f"{method.name} serves {served}, not {objective}"
    if not method.needs:
        return None if offer is None else f"{method.name} takes no backbone"
    if offer is None:
        return f"{method.name} needs a backbone with {', '.join(sorted(method.needs))}"
    missing = method.needs - offer.capabilities
    if missing:
        return f"{method.name} needs {', '.join(sorted(missing))}, which {offer.architecture} lacks"
    return None
