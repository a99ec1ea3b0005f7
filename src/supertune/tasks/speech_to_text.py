"""Speech written down, after a few recordings with transcripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy.typing as npt

from supertune import transcripts
from supertune.contracts import (
    Columns,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Objective,
    Reading,
    Transcripts,
)
from supertune.contracts.speech import room_of, texts_of
from supertune.data.sounds import sources, transcribed


class SpeechToText:
    """See `supertune.contracts.Task`."""

    name = "speech_to_text"
    summary = "what is said in recordings, after a few with transcripts"
    objective: Objective = "transcribe"
    modalities = ("audio",)
    metrics: Mapping[str, bool] = transcripts.METRICS
    default_metric = "wer"
    improved_by = (
        "Give more recordings with transcripts, correct transcripts (the report lists those that "
        "are furthest off), or name what is said often with hints."
    )
    predicted_by = "supertune transcribe {model} NEW.wav"

    def recognised(self, source: Any) -> str | None:
        """See `supertune.contracts.Recognising`."""
        return transcribed.recognised(source)

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        """Recordings with transcripts to learn from and, where there are any, to judge by.

        Args:
            source: whatever `supertune.data.sounds.sources` takes, with a column of transcripts.
            columns: ``label`` names the column of transcripts.
            test: another source, to judge by.
            labels, new_labels: of no use; the recordings of a model that exists are judged.

        Raises:
            InputError: what is wrong with files, columns, recordings or transcripts.
        """
        if labels is not None:
            return transcribed.judged(source, columns)
        return transcribed.learned(source, columns, test)

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of rows and the recordings in them, of which no sample is held."""
        return transcribed.stream(source, columns, window)

    def count(self, source: Any) -> int | None:
        """See `supertune.contracts.Counting`."""
        return sources.count(source)

    def head(self, examples: Examples) -> HeadSpec:
        assert examples.targets is not None
        return HeadSpec(1, characters=room_of(examples.targets))

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Transcripts:
        """(n, W) numbers are the characters themselves."""
        return Transcripts(tuple(texts_of(logits)), head.characters)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        return transcripts.scores(answers, targets, weights)


TASK = SpeechToText()
