"""One label a recording, or several, learned from labelled recordings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy.typing as npt

from supertune.contracts import (
    Columns,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Objective,
    Predictions,
    Reading,
)
from supertune.data.sounds import reading, recognising, sources
from supertune.tasks import _labels


class AudioClassification:
    """See `supertune.contracts.Task`."""

    name = "audio_classification"
    summary = "one label a recording, or several, from a few labelled recordings"
    objective: Objective = "classify"
    modalities = ("audio",)
    metrics: Mapping[str, bool] = _labels.METRICS
    default_metric = _labels.DEFAULT_METRIC

    def recognised(self, source: Any) -> str | None:
        """See `supertune.contracts.Recognising`."""
        return recognising.recognised(source)

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        """Recordings to learn from and, where there are any, to judge by.

        Args:
            source: whatever `supertune.data.sounds.sources` takes.
            columns: those the person named; the others are guessed.
            test: another source, to judge by.
            labels: those of a model that exists. The rows are then judged, not learned from.
            new_labels: the rows may have labels besides ``labels``, which come behind them.

        Raises:
            InputError: what is wrong with files, columns, recordings, labels, weights or times.
        """
        if labels is None:
            return reading.learned(source, columns, test)
        return reading.judged(source, columns, labels, new_labels=new_labels)

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of rows and the recordings in them, of which no sample is held.

        Raises:
            InputError: as `supertune.data.sounds.reading.stream`.
        """
        return reading.stream(source, columns, window)

    def count(self, source: Any) -> int | None:
        """See `supertune.contracts.Counting`."""
        return sources.count(source)

    def head(self, examples: Examples) -> HeadSpec:
        return _labels.head(examples)

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Predictions:
        return _labels.decode(logits, labels, head, costs)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        return _labels.score(answers, targets, weights, costs)


TASK = AudioClassification()
