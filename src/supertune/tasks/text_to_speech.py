"""Texts spoken in a voice, after a few recordings of its speaker with transcripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy.typing as npt

from supertune import metrics
from supertune.contracts import (
    FIGURES,
    Columns,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Objective,
    Reading,
    Voiced,
)
from supertune.data.sounds import sources, speakers


class TextToSpeech:
    """See `supertune.contracts.Task`.

    Rows are recordings of one speaker with what is said in them. An answer is how the model speaks
    the same words: how near it comes to the speaker, beside the untuned voice, and how well it is
    understood. Texts to be spoken are given to `supertune.speak`.
    """

    name = "text_to_speech"
    summary = "texts spoken in a voice, after a few recordings of its speaker"
    objective: Objective = "synthesise"
    modalities = ("audio",)
    metrics: Mapping[str, bool] = metrics.VOICING
    default_metric = "similarity"
    improved_by = (
        "Give more recordings of the speaker, or better ones; the report plays what it says."
    )
    predicted_by = 'supertune speak {model} "WHAT TO SAY" --output said.wav'

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        """Recordings of one speaker with transcripts.

        Args:
            source: whatever `supertune.data.sounds.sources` takes, with a column of transcripts.
            columns: ``label`` names the column of transcripts.
            test: another source, to judge by.
            labels, new_labels: of no use; the recordings of a model that exists are judged.

        Raises:
            InputError: ``several_speakers``, and what is wrong with files, columns, recordings or
                transcripts.
        """
        if labels is not None:
            return speakers.judged(source, columns)
        return speakers.learned(source, columns, test)

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of rows and the recordings in them."""
        return speakers.stream(source, columns, window)

    def count(self, source: Any) -> int | None:
        """See `supertune.contracts.Counting`."""
        return sources.count(source)

    def head(self, examples: Examples) -> HeadSpec:
        return HeadSpec(len(examples.labels), figures=len(FIGURES))

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Voiced:
        """(n, 10) numbers are the figures themselves."""
        return Voiced(logits)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        return metrics.voicing(answers, weights)


TASK = TextToSpeech()
