"""The model that is explained: asked for outputs, many times, and for each input once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from supertune.contracts import (
    Contrasting,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Lens,
    Picture,
    Recording,
    Tuned,
)
from supertune.errors import InputError
from supertune.explaining import parts as cutting
from supertune.explaining.parts import Parts
from supertune.explaining.patches import Patches
from supertune.explaining.stretches import Stretches
from supertune.pipeline import Workshop

BATCH = 256  # inputs asked about at once


@dataclass(eq=False)
class Subject:
    """A fitted model, and the labelled rows it was fitted on where they are kept.

    ``backbone`` is None where none takes part, ``columns`` are the names of numbers.
    """

    workshop: Workshop
    tuned: Tuned
    labels: tuple[str, ...]
    head: HeadSpec
    backbone: str | None
    rows: Examples | None = None
    columns: tuple[str, ...] = ()
    asked: int = 0  # inputs that the model was asked about
    _known: dict[Input, FloatArray] = field(default_factory=dict)

    @property
    def lens(self) -> Lens | None:
        return self.workshop.lens(self.backbone)

    @property
    def objective(self) -> Contrasting:
        """
        Raises:
            InputError: ``cannot_explain`` for an objective that says nothing about contrasts.
        """
        judge = self.workshop.objective
        if not isinstance(judge, Contrasting):
            raise InputError(
                "cannot_explain",
                f"Answers of the objective '{judge.name}' cannot be explained.",
                received=f"a model of {self.workshop.task.name}",
                allowed="models that answer with labels or values",
                next="Read its report instead.",
            )
        return judge

    def logits(self, inputs: Sequence[Input]) -> FloatArray:
        """(n, C); each distinct input is asked about once."""
        new = [value for value in dict.fromkeys(inputs) if value not in self._known]
        self.asked += len(new)
        for start in range(0, len(new), BATCH):
            part = new[start : start + BATCH]
            self._known.update(zip(part, self.tuned.logits(part, self.lens), strict=True))
        if not inputs:
            return np.zeros((0, self.head.outputs))
        return np.stack([self._known[value] for value in inputs])

    def forget(self) -> None:
        """The answers that were kept."""
        self._known = {}

    def decided(self, logits: FloatArray) -> Any:
        """`Answers` to (n, C) outputs."""
        costs = self.workshop.costs(self.labels)
        return self.workshop.task.decode(logits, self.labels, self.head, costs)

    def parts(self, value: Input) -> Parts:
        """Words, patches of a picture, stretches of a recording, or the columns of a row of
        numbers with the mean row in their place."""
        if isinstance(value, Picture):
            return Patches(value)
        if isinstance(value, Recording):
            return Stretches(value)
        if not self.columns:
            return cutting.words(value)
        if self.rows is None:
            return cutting.columns(value, self.columns, [0.0] * len(self.columns))
        mean = np.mean(np.asarray(self.rows.inputs, dtype=np.float64), axis=0)
        return cutting.columns(value, self.columns, mean.tolist())


@dataclass(frozen=True, eq=False)
class Question:
    """One input of a subject, and what of its answer is explained.

    Attributes:
        logits, blank: (C,) for the input, and for it without any of its parts.
        output: which output is explained.
        contrast: (C,), see `supertune.contracts.explaining`.
    """

    subject: Subject
    parts: Parts
    logits: FloatArray
    blank: FloatArray
    output: int
    contrast: FloatArray

    @classmethod
    def about(cls, subject: Subject, value: Input) -> Question:
        parts = subject.parts(value)
        logits, blank = subject.logits([value, parts.only(())])
        judge = subject.objective
        output = judge.output(logits, subject.head)
        contrast = judge.contrast(logits, blank, output, subject.head)
        return cls(subject, parts, logits, blank, output, contrast)

    def strength(self, inputs: Sequence[Input]) -> FloatArray:
        """(n,) how strongly the model says of inputs what it says of this one."""
        logits = self.subject.logits(inputs)
        return self.subject.objective.strength(
            logits, self.output, self.contrast, self.subject.head
        )

    def margins(self, inputs: Sequence[Input]) -> FloatArray:
        """(n,) contrasts."""
        return np.asarray(self.subject.logits(inputs) @ self.contrast)
