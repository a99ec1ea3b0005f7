"""What methods that speak have in common: the voice that is learned, and figures of sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import transcripts
from supertune.contracts import (
    FIGURES,
    FloatArray,
    Input,
    Lens,
    Recording,
    Speaking,
    Spoken,
    Synthesising,
    Voicing,
)
from supertune.contracts.voices import HEARD, VOICE

Activations = Callable[[Sequence[Any], int], list[FloatArray]]


@dataclass(frozen=True, eq=False)
class Ends:
    """Where likeness to a voice is measured from and to: (d,) what the judge makes of the untuned
    voice and of the speaker, each the mean over the sentences that were learned from."""

    untuned: FloatArray
    speaker: FloatArray

    @classmethod
    def of(cls, inputs: Sequence[Input], lens: Lens) -> Ends:
        found = heard(inputs, lens, lens.activations, VOICE)
        return cls(found[:, 0].mean(axis=0), found[:, 1].mean(axis=0))

    @classmethod
    def restored(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Ends:
        return cls(np.asarray(arrays["untuned_end"]), np.asarray(arrays["speaker_end"]))

    @property
    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"untuned_end": self.untuned, "speaker_end": self.speaker}

    def similarity(self, vectors: FloatArray) -> FloatArray:
        """(n,) cosines, seen from the middle of both ends, with the way from one to the other: -1
        points to the untuned voice, 1 to the speaker."""
        ends = np.stack([self.untuned, self.speaker]).astype(np.float64)
        middle = ends.mean(axis=0)
        way, seen = ends[1] - middle, vectors.astype(np.float64) - middle
        # Sums by row: a product of matrices would depend on how many rows there are.
        sizes = np.sqrt((seen**2).sum(axis=1) * (way**2).sum())
        return np.asarray((seen * way).sum(axis=1) / np.maximum(sizes, 1e-12))


def voice_of(lens: Lens) -> Synthesising:
    assert isinstance(lens.backbone, Synthesising)
    return lens.backbone


def heard(
    inputs: Sequence[Input], lens: Lens, activations: Activations, place: int = HEARD
) -> FloatArray:
    """(n, 2, 2 + d) what the judge hears of the untuned voice, and of the speaker; (n, 2, d) at
    the place `VOICE`."""
    language = lens.encoding.language
    rows = [one for one in inputs if isinstance(one, Recording)]
    pieces = [piece for one in rows for piece in (Spoken(one.said, language), _own(one, language))]
    return np.stack(activations(pieces, place)).reshape(len(rows), 2, -1)


def _own(one: Recording, language: str | None) -> Spoken:
    return Spoken(one.said, language, one)


def figures(
    inputs: Sequence[Input], ends: Ends, lens: Lens, tuned: Voicing | None, activations: Activations
) -> FloatArray:
    """(n, 10) as `FIGURES`; without ``tuned`` the untuned voice stands in its place."""
    rows = [one for one in inputs if isinstance(one, Recording)]
    if not rows:
        return np.zeros((0, len(FIGURES)))
    both = heard(rows, lens, activations)
    untuned, own = both[:, 0], both[:, 1]
    if tuned is None:
        now = untuned
    else:
        backbone = voice_of(lens)
        said = [tuned.spoken(one.said, Speaking(), lens) for one in rows]
        texts = [one.said for one in rows]
        now = np.stack(backbone.judged(said, backbone.rate, texts, lens.encoding.language))
    words = np.array([transcripts.errors(one.said, "")[1] for one in rows], dtype=np.float64)
    parts = [
        np.column_stack([one[:, :2], ends.similarity(one[:, 2:])]) for one in (now, untuned, own)
    ]
    return np.column_stack([words, *parts]).astype(np.float64)
