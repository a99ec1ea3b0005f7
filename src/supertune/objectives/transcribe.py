"""Speech written down: words that were missed, put in or mistaken for others."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import transcripts
from supertune.contracts import (
    Answers,
    Asked,
    Examples,
    Finding,
    FloatArray,
    HeadSpec,
    Input,
    Judged,
    Recording,
    TermScore,
    Transcripts,
)
from supertune.contracts.speech import TRANSCRIPT, texts_of
from supertune.data.sounds import playing
from supertune.errors import InputError
from supertune.objectives._refusals import refuse_bounds
from supertune.objectives._worded import Worded, array, first, furthest, targets, wanted

FEW = 10  # recordings, below which little can be learned
ALIGNED, CONFUSIONS = 40, 20  # recordings and mistakes that the report shows
PLAYED = 12  # of the recordings, those that can be listened to there
METRICS = "the metrics wer, cer and exact"


class Transcribe(Worded):
    """See `supertune.contracts.Judge`."""

    name = "transcribe"
    summary = "speech written down"
    backbones = ("whisper-base",)
    baselines = ("untuned",)
    unweighable = "Transcripts have no classes to weigh."
    allowed = METRICS
    tolerance = 0.0
    decider: str | None = None
    rivals = (("untuned", "the model as it was"),)

    def tried(self, rows: str) -> tuple[str, ...]:
        return ("lora",)  # alone, so that it is waited for; the untuned model is judged beside it

    def noticed(self, examples: Examples, folds: int) -> list[Finding]:
        """``few_recordings``."""
        if len(examples) >= FEW:
            return []
        message = f"{len(examples)} recordings are few to learn from; {FEW} to 100 serve better."
        return [Finding("few_recordings", message, (), "info")]

    def breakdown(
        self, judged: Judged, *, seed: int, costs: FloatArray | None, shown: bool
    ) -> dict[str, Any]:
        """``transcription``: how texts are compared, kinds of errors, the commonest mistakes, and
        recordings with what was said aligned to what was written, worst first."""
        said, written = wanted(judged.examples), texts_of(first(judged))
        pieces = [transcripts.aligned(a, b) for a, b in zip(said, written, strict=True)]
        kinds: Counter[str] = Counter()
        swapped: Counter[tuple[str, str]] = Counter()
        for piece in (one for row in pieces for one in row):
            kinds[piece.kind] += max(len(piece.said), len(piece.written))
            if piece.kind == "substitute":
                swapped.update(zip(piece.said, piece.written))
        counts = transcripts.counted(first(judged), targets(judged.examples))
        order = sorted(range(len(said)), key=lambda i: (-counts[i, 0], judged.examples.rows[i]))
        aligned = [
            {
                "row": int(judged.examples.rows[i]),
                "recording": str(judged.examples.inputs[i]),
                "errors": int(counts[i, 0]),
                "words": int(counts[i, 1]),
                "pieces": [
                    [piece.kind, " ".join(piece.said), " ".join(piece.written)]
                    for piece in pieces[i]
                ],
                "clip": _played(judged.examples.inputs[i]) if place < PLAYED else None,
            }
            for place, i in enumerate(order[: ALIGNED if shown else 0])
        ]
        commonest = sorted(swapped.items(), key=lambda one: (-one[1], one[0]))
        return {
            "transcription": {
                "normalised": transcripts.NORMALISED,
                "words": int(counts[:, 1].sum()),
                "kinds": {name: kinds[name] for name in ("substitute", "delete", "insert")},
                "mistaken": [
                    {"said": one, "written": other, "times": times}
                    for (one, other), times in commonest[: CONFUSIONS if shown else 0]
                ],
                "aligned": aligned,
            }
        }

    def term_score(self, terms: Sequence[str]) -> TermScore:
        return partial(transcripts.term_scores, terms)

    def rows_to_look_at(
        self, examples: Examples, answers: FloatArray, shown: bool
    ) -> tuple[list[dict[str, Any]], list[Finding]]:
        """Recordings whose transcripts are furthest from what was written, by models that had not
        heard them: hard to hear, or wrongly transcribed."""
        if not shown:
            return [], []
        counts = transcripts.counted(answers[0], targets(examples))
        worth = -counts[:, 0] / np.maximum(counts[:, 1], 1)
        why = [f"{wrong:.0f} of {of:.0f} words wrong" if wrong else "" for wrong, of, *_ in counts]
        return furthest(examples, texts_of(answers[0]), worth, why), []

    def answers_given(self, examples: Examples) -> dict[str, Any]:
        """How many words were said."""
        words = sum(len(transcripts.normalised(text).split()) for text in wanted(examples))
        return {"labels": [{"name": TRANSCRIPT[0], "rows": len(examples)}], "words": words}

    def check(self, asked: Asked) -> None:
        refuse_bounds(asked, "Transcripts", allowed=METRICS)

    def array(self, answers: Answers, head: HeadSpec) -> npt.NDArray[Any]:
        """(n,) texts."""
        assert isinstance(answers, Transcripts)
        return array(answers.texts)

    def table(self, answers: Answers) -> FloatArray:
        raise InputError(
            "no_probabilities",
            "Transcripts have no probabilities of classes.",
            received="predict_proba",
            allowed="predict for texts, transcribe for times and more",
            next="Call model.predict(recordings).",
        )


OBJECTIVE = Transcribe()


def _played(value: Input) -> str:
    """A short copy for a browser, in base64."""
    assert isinstance(value, Recording)
    return base64.b64encode(playing.clip(value)).decode("ascii")
