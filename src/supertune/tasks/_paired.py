"""Texts that answer texts: one task, two kinds of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from supertune.contracts import (
    Answers,
    Columns,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Objective,
    Reading,
)
from supertune.contracts.speech import room_of
from supertune.data.pairs import reading


@dataclass(frozen=True)
class Paired:
    """See `supertune.contracts.Task`.

    Attributes:
        kind: what is read, and what is checked of it.
        answer: which of `HeadSpec.SIZES` an answer is made of.
        decoded: answers of (n, W) numbers.
        scored: the metrics by name, of answers, targets and weights.
    """

    name: str
    summary: str
    objective: Objective
    metrics: Mapping[str, bool]
    default_metric: str
    improved_by: str
    kind: reading.Kind
    answer: str
    decoded: Callable[[FloatArray], Answers]
    scored: Callable[..., dict[str, FloatArray]]
    modalities: tuple[str, ...] = ("text",)

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        """Pairs to learn from and, where there are any, to judge by.

        Args:
            source: whatever `readers.read` takes, and what `kind` knows besides: a TMX, XLIFF or PO
                file and text files that lie side by side (``talk.en`` and ``talk.pt``), or
                conversations in ``messages``.
            columns: ``text`` names the column of what is given, ``label`` that of answers.
            test: another source, to judge by.
            labels, new_labels: of no use; the pairs of a model that exists are judged.

        Raises:
            InputError: what is wrong with files, columns, conversations or texts.
        """
        if labels is not None:
            return reading.judged(source, columns, self.kind)
        return reading.learned(source, columns, test, self.kind)

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of rows and the texts in them; fewer at a time than labels are given to."""
        return reading.stream(source, columns, window, self.kind)

    def head(self, examples: Examples) -> HeadSpec:
        assert examples.targets is not None
        size: dict[str, Any] = {self.answer: room_of(examples.targets)}
        return HeadSpec(1, **size)

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Answers:
        """(n, W) numbers are the characters themselves."""
        return self.decoded(logits)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        return self.scored(answers, targets, weights)
