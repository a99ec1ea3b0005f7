"""Texts that answer a request, after a few examples of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy.typing as npt

from supertune import completions
from supertune.contracts import (
    Columns,
    Completions,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Objective,
    Reading,
)
from supertune.contracts.speech import room_of
from supertune.data.pairs import reading
from supertune.data.requests.reading import REQUESTS


class TextGeneration:
    """See `supertune.contracts.Task`."""

    name = "text_generation"
    summary = "texts that answer a request, after a few examples of one's own"
    objective: Objective = "generate"
    modalities = ("text",)
    metrics: Mapping[str, bool] = completions.METRICS
    default_metric = "rouge_l"
    improved_by = (
        "Give more examples, say with --instruction what is wanted, or hold answers to a structure."
    )

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        """Requests with answers to learn from and, where there are any, to judge by.

        Args:
            source: whatever `readers.read` takes: two columns of texts, ``instruction``, ``input``
                and ``output``, or conversations in ``messages``.
            columns: ``text`` names the column of requests, ``label`` that of answers.
            test: another source, to judge by.
            labels, new_labels: of no use; the rows of a model that exists are judged.

        Raises:
            InputError: what is wrong with files, columns, conversations or texts.
        """
        if labels is not None:
            return reading.judged(source, columns, REQUESTS)
        return reading.learned(source, columns, test, REQUESTS)

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of rows and the requests in them."""
        return reading.stream(source, columns, window, REQUESTS)

    def head(self, examples: Examples) -> HeadSpec:
        assert examples.targets is not None
        return HeadSpec(1, completion=room_of(examples.targets))

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Completions:
        """(n, W) numbers are the characters themselves."""
        return Completions.of(logits)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        return completions.scores(answers, targets, weights)


TASK = TextGeneration()
