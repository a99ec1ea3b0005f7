"""Texts put into another language, after a few pairs of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy.typing as npt

from supertune import translations
from supertune.contracts import (
    Columns,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Objective,
    Reading,
    Translations,
)
from supertune.contracts import translation as answers_of
from supertune.contracts.speech import room_of
from supertune.data.pairs import reading


class Translation:
    """See `supertune.contracts.Task`."""

    name = "translation"
    summary = "texts put into another language, after a few pairs of one's own"
    objective: Objective = "translate"
    modalities = ("text",)
    metrics: Mapping[str, bool] = translations.METRICS
    default_metric = "chrf"
    improved_by = (
        "Give more pairs of the same kind of text, correct those that the report lists as furthest "
        "off, or name terms with a glossary."
    )

    def recognised(self, source: Any) -> str | None:
        """See `supertune.contracts.Recognising`."""
        return reading.recognised(source)

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
            source: whatever `readers.read` takes, a TMX, XLIFF or PO file, or one of two text
                files that lie side by side (``talk.en`` and ``talk.pt``).
            columns: ``text`` names the column of sources, ``label`` that of translations.
            test: another source, to judge by.
            labels, new_labels: of no use; the pairs of a model that exists are judged.

        Raises:
            InputError: what is wrong with files, columns or texts.
        """
        if labels is not None:
            return reading.judged(source, columns)
        return reading.learned(source, columns, test)

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of rows and the texts in them; fewer at a time than labels are given to."""
        return reading.stream(source, columns, window)

    def head(self, examples: Examples) -> HeadSpec:
        assert examples.targets is not None
        return HeadSpec(1, translation=room_of(examples.targets))

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Translations:
        """(n, W) numbers are the characters themselves."""
        return answers_of.translations(logits)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        return translations.scores(answers, targets, weights)


TASK = Translation()
