"""The architecture on a few screens: what a task, a backbone and a method owe each other.

A *task* says what goes in, what comes out and how it is scored. An *engine* opens pretrained
*backbones* of one framework. A *method* says which few numbers are tuned and how. They never
import one another: they meet in ``pipeline.py``, which hands a method a `Lens` (a backbone seen
through the activation cache) and a task's `Examples`.

Whether a combination fits is decided from declarations alone (`Offer`, ``Method.needs``),
before torch is imported or a weight is read.

Shapes: n rows, C labels, d features. Arrays are NumPy unless said otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
Input = str | tuple[str, ...]

Capability = Literal[
    "features",  # one vector per input
    "blocks",  # activations can be taken and resumed between numbered blocks
    "mask_logits",
    "next_token_logits",
    "sequence_loss",
    "generate",
    "torch",  # parameters can be tuned in this process
    "remote",  # inputs leave this machine
]
Objective = Literal["classify", "regress", "generate", "detect", "denoise", "synthesise", "rank"]


# --- data -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows as a task understands them, all sequences of length n and in one order.

    Attributes:
        inputs: what goes in; a text, or a tuple of texts (a pair).
        targets: (n,) label indices, -1 where unlabelled; or (n, C) zeros and ones when a row
            may have several labels; None when the rows carry no answers at all.
        labels: the C label names, in the order of the model's outputs.
        rows: (n,) row numbers in the source, the first data row being 1.
        groups: (n,) integers; rows of one group are never on both sides of a split.
        weights: (n,) positive row weights, mean 1, or None.
        slices: named columns (n,) of strings by which scores can be broken down.
    """

    inputs: tuple[Input, ...]
    targets: npt.NDArray[Any] | None
    labels: tuple[str, ...]
    rows: IntArray
    groups: IntArray | None = None
    weights: FloatArray | None = None
    slices: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def multi_label(self) -> bool:
        return self.targets is not None and self.targets.ndim == 2

    def take(self, index: IntArray | Sequence[int]) -> Examples:
        """The rows at ``index``, in that order."""
        chosen = np.asarray(index, dtype=np.int64)
        return replace(
            self,
            inputs=tuple(self.inputs[i] for i in chosen),
            targets=None if self.targets is None else self.targets[chosen],
            rows=self.rows[chosen],
            groups=None if self.groups is None else self.groups[chosen],
            weights=None if self.weights is None else self.weights[chosen],
            slices={name: values[chosen] for name, values in self.slices.items()},
        )

    def canonical(self) -> Examples:
        """The same rows ordered by content hash, so that a file's order cannot matter."""
        keys = [
            content_key(text, None if self.targets is None else self.targets[i].tolist())
            for i, text in enumerate(self.inputs)
        ]
        return self.take(sorted(range(len(keys)), key=keys.__getitem__))


def content_key(value: Input, extra: object = None) -> str:
    """sha256 (hex) of one input, and of whatever else distinguishes it."""
    return hashlib.sha256(repr((value, extra)).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Finding:
    """Something the person should know about their rows or run; ``rows`` are source rows."""

    code: str
    message: str
    rows: tuple[int, ...] = ()
    severity: Literal["info", "warning"] = "warning"

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.message,
            "rows": list(self.rows),
            "severity": self.severity,
        }


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model answers for n inputs.

    Attributes:
        labels: the label (or tuple of labels) predicted for each row.
        confidence: (n,) probability of the predicted label; for several labels the product.
        probabilities: (n, C), rows sum to 1 unless a row may have several labels.
        names: the C label names.
    """

    labels: tuple[Any, ...]
    confidence: FloatArray
    probabilities: FloatArray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


# --- task -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Columns:
    """Which columns mean what. Empty or None: to be guessed, or not there."""

    text: tuple[str, ...] = ()
    label: str | None = None
    split: str | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    slices: tuple[str, ...] = ()
    template: str | None = None
    pair: bool = False
    separator: str | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """One source after reading: rows to learn from, rows to judge by, what was noticed."""

    train: Examples
    test: Examples | None
    columns: Columns
    guesses: tuple[str, ...]
    samples: tuple[Mapping[str, str], ...]
    findings: tuple[Finding, ...]
    source: str


@dataclass(frozen=True)
class HeadSpec:
    """How many numbers answer the question, and whether several may be true at once."""

    outputs: int
    multi_label: bool = False


class Task(Protocol):
    """One file in ``tasks/``; the file's name is the key."""

    name: str
    summary: str
    objective: Objective
    modality: str
    metrics: Mapping[str, bool]  # name -> larger is better
    default_metric: str

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
    ) -> Reading:
        """Rows to learn from and to judge by; with ``labels``, those of a model that exists,
        all rows are to be judged and ``train`` holds them."""
        ...

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of a source of any size: the raw rows and the inputs read from them."""
        ...

    def head(self, examples: Examples) -> HeadSpec: ...

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Predictions: ...

    def score(
        self,
        probabilities: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        """Every metric, re-weighted: ``weights`` (B, n) gives B values a metric (one if None),
        so that one vectorised call serves a whole bootstrap. ``costs`` (C, C) moves the decision
        and adds the metric ``cost``."""
        ...


# --- backbone -------------------------------------------------------------------------------


@dataclass(frozen=True)
class BackboneRef:
    """A backbone by name and where its files are. ``folder`` is None until it is fetched."""

    name: str
    engine: str
    folder: Path | None = None


@dataclass(frozen=True)
class Offer:
    """What a backbone can do, read from its configuration and header; no weight is read."""

    capabilities: frozenset[str]
    family: Literal["encoder", "causal", "seq2seq"]
    architecture: str
    width: int
    depth: int
    parameters: int
    max_length: int
    pooling: Literal["mean", "cls", "last"]
    prefix: str = ""
    normalize: bool = False
    languages: tuple[str, ...] = ()  # ISO codes; ("*",) means many; empty means unknown


@dataclass(frozen=True)
class Encoding:
    """How inputs become token ids; part of every cache key."""

    max_length: int = 256
    long_text: Literal["truncate", "head_tail", "chunk"] = "truncate"
    pooling: Literal["mean", "cls", "last"] | None = None
    prefix: str | None = None


@dataclass(frozen=True)
class Injection:
    """What a gradient method tunes; the engine carries it out.

    Attributes:
        kind: ``"lora"``, any other PEFT type, or ``"unfreeze"`` (tune the weights themselves).
        blocks: the numbered blocks touched, lowest first; the lowest is the cut below which
            activations are computed once and replayed. None: everything, from the input on.
        settings: the engine's arguments for that kind (rank, targets ...).
    """

    kind: str
    blocks: tuple[int, ...] | None
    settings: Mapping[str, Any]


class Tunable(Protocol):
    """Tuned numbers and their place in a backbone.

    Inside ``with tunable:`` they are part of the model; afterwards the backbone is what it was,
    and ``kept`` holds them. ``cut`` is the lowest block touched.
    """

    cut: int
    from_input: bool  # nothing can be replayed: training starts at the input

    def __enter__(self) -> Any: ...
    def __exit__(self, *exc: object) -> None: ...
    def parameters(self) -> list[Any]:
        """The engine's tensors to train; inside the ``with`` block only."""
        ...

    def run(self, batch: Any, hidden: Any | None, encoding: Encoding) -> Any:
        """Pooled features (rows, d) that carry gradients; ``hidden`` enters the cut."""
        ...

    @property
    def kept(self) -> dict[str, npt.NDArray[Any]]: ...
    def keep(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Numbers to put in at the next entry."""
        ...

    def config(self) -> dict[str, Any] | None:
        """The adapter's own configuration in PEFT's format, where PEFT made it."""
        ...


class Backbone(Protocol):
    """A loaded pretrained model. Its own weights never change (``sha256`` stays true)."""

    ref: BackboneRef
    offer: Offer
    sha256: str

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[Any]:
        """Token ids of each input, cut to length; nothing is padded yet."""
        ...

    def features(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        """(n, d) float32, one pooled vector an input. ``exact``: a row's bits do not depend
        on the other rows; otherwise batches waste as little padding as they can."""
        ...

    def activations(self, pieces: Sequence[Any], cut: int) -> list[FloatArray]:
        """What enters block ``cut`` for each piece of tokens: (its tokens, d) float32."""
        ...

    def inject(self, injection: Injection, *, seed: int) -> Tunable: ...


class Engine(Protocol):
    """One file in ``backbones/``: how backbones of one framework are inspected and opened."""

    name: str
    summary: str
    modality: str
    extra: str | None  # the pip extra it needs, if any

    def offers(self, ref: BackboneRef) -> Offer: ...
    def open(self, ref: BackboneRef, *, device: str, threads: int | None) -> Backbone: ...


class Lens(Protocol):
    """A backbone as methods see it: through the activation cache, under one `Encoding`."""

    backbone: Backbone
    encoding: Encoding

    def features(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        """(n, d) float32. While learning every distinct input is computed once and kept;
        with ``prediction`` nothing is kept and batches depend on the given inputs alone."""
        ...

    def activations(self, pieces: Sequence[Any], cut: int) -> list[FloatArray]:
        """What enters block ``cut`` for each tokenised piece: (its tokens, d) float32."""
        ...


# --- method ---------------------------------------------------------------------------------


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
    label_smoothing: float = Field(0.0, ge=0, lt=1)


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
