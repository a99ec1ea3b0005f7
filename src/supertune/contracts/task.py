"""What a task owes: rows, the size of an answer, answers in words, scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy.typing as npt

from supertune.contracts.answers import Answers
from supertune.contracts.data import Examples, Finding, FloatArray, Input

Objective = Literal[
    "classify",
    "regress",
    "generate",
    "detect",
    "denoise",
    "stylize",
    "transcribe",
    "translate",
    "synthesise",
    "rank",
]


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
    numbers: tuple[str, ...] = ()  # read as numbers, instead of a text
    picture: str | None = None  # of pictures, instead of a text
    audio: str | None = None  # of recordings, instead of a text
    concept: str | None = None  # what is said of pictures that nothing is said of
    user: str | None = None  # of interactions: who
    item: str | None = None  # and with what
    hold_out: str | None = None  # of interactions: which of them judge
    clear_ids: bool = False  # whether people keep their own names

    @property
    def read(self) -> tuple[str, ...]:
        """Those that an input is made of."""
        return self.numbers or self.text or (() if self.medium is None else (self.medium,))

    @property
    def medium(self) -> str | None:
        """The column of pictures or of recordings, if there is one."""
        return self.picture or self.audio

    def called(self, names: Sequence[str]) -> Columns:
        """The same where what is read has other names; as they are without any."""
        if not names:
            return self
        if self.medium is None:
            return replace(self, text=tuple(names))
        if self.picture is None:
            return replace(self, audio=names[0])
        return replace(self, picture=names[0])

    @property
    def modality(self) -> str:
        """Of the rows that are read by these columns: see `Examples.modality`."""
        if self.numbers:
            return "numbers"
        if self.medium is None:
            return "interactions" if self.user else "text"
        return "audio" if self.picture is None else "image"


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
    whole: Examples | None = None  # what the kept model learns from, where that is more than train


@dataclass(frozen=True)
class HeadSpec:
    """How many numbers answer the question, and whether several may be true at once, or they
    are values on a scale, or ``boxes`` on a picture, so many at most, each of one of ``outputs``
    classes, or losses of a denoiser at so many ``draws`` of noise, beside those of the untuned
    one (`supertune.contracts.Denoised`), or so many ``losses`` of pictures painted again in a style
    (`supertune.contracts.Stylized`), or a text of so many ``characters`` at most
    (`supertune.contracts.Transcripts`), or so many ``figures`` of a spoken sentence
    (`supertune.contracts.Voiced`), or a ``translation`` of so many characters at most
    (`supertune.contracts.Translations`), or a ``completion`` of so many
    (`supertune.contracts.Completions`), or a list of so many of the outputs at most, ``listed``
    with a score each (`supertune.contracts.Recommendations`)."""

    # What an answer may be made of instead of outputs, and how many numbers each takes.
    SIZES: ClassVar[Mapping[str, int]] = {
        "boxes": 6,
        "draws": 2,
        "losses": 1,
        "characters": 1,
        "figures": 1,
        "listed": 2,
        "translation": 1,
        "completion": 1,
    }

    outputs: int
    multi_label: bool = False
    valued: bool = False
    boxes: int = 0
    draws: int = 0
    losses: int = 0
    characters: int = 0
    figures: int = 0
    listed: int = 0
    translation: int = 0
    completion: int = 0

    @property
    def kind(self) -> str:
        """Which of ``SIZES`` an answer is made of; "" for outputs."""
        return next((name for name in self.SIZES if getattr(self, name)), "")

    @property
    def named(self) -> bool:
        """Whether a person wants the names of the outputs listed; not those of a catalogue."""
        return not self.listed

    @property
    def width(self) -> int:
        """C, how many numbers an answer takes; see `supertune.contracts.Detections` for boxes."""
        return self.SIZES[self.kind] * getattr(self, self.kind) if self.kind else self.outputs


class Task(Protocol):
    """One file in ``tasks/``; the file's name is the key.

    One whose answers are looked at by a command of its own names it with an attribute
    ``predicted_by``, of ``{model}`` and ``{ending}``. One that more labels would not help says in
    ``improved_by`` what would, where a model is no better than its baseline.

    What tasks of one objective have in common, such as how classes weigh or what stands beside
    a score, is asked of that objective: see `supertune.contracts.Judge`.
    """

    name: str
    summary: str
    objective: Objective
    modalities: tuple[str, ...]  # of the rows that it reads, the first by default
    metrics: Mapping[str, bool]  # name -> larger is better
    default_metric: str

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        """Rows to learn from and to judge by; with ``labels``, those of a model that exists,
        all rows are to be judged and ``train`` holds them. With ``new_labels`` they may have
        others besides, which come behind those of the model."""
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
    ) -> Answers: ...

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        """Every metric of ``answers`` (n, C), as `Answers.scored` holds them, re-weighted:
        ``weights`` (B, n) gives B values a metric (one if None),
        so that one vectorised call serves a whole bootstrap. ``costs`` (C, C) moves the decision
        and adds the metric ``cost``."""
        ...


@runtime_checkable
class Recognising(Protocol):
    """A `Task` that can tell by a source, before its rows are read, that it is meant."""

    def recognised(self, source: Any) -> str | None:
        """Why, in words (``"11 class folders with 269 pictures"``); None where it is not meant,
        or where that cannot be told."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A `Task` that may know how many rows a source has before they are read."""

    def count(self, source: Any) -> int | None:
        """So many rows; None where only reading them would tell."""
        ...
