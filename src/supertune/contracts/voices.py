"""Speech made of text: what a backbone that speaks owes, and how it is asked to.

Samples are (t,) float32 from -1 to 1 of one channel, `Synthesising.rate` a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from pydantic import Field

from supertune.contracts.answers import unlike
from supertune.contracts.backbone import Lens
from supertune.contracts.data import FloatArray, Recording
from supertune.contracts.method import Options, Tuned

SYNTHETIC = "Synthetic speech: made by a text-to-speech model, not recorded from a person."


class Speaking(Options):
    """How text is spoken. The same settings, seed and weights give the same samples."""

    speed: float = Field(
        1.0, ge=0.25, le=4, description="how fast, against the voice's own pace; 2 is twice as fast"
    )
    pause: float = Field(0.25, ge=0, le=10, description="seconds of silence between sentences")
    variation: float | None = Field(
        None, ge=0, le=2, description="how much the sound varies; by default as the voice says"
    )
    rhythm: float | None = Field(
        None, ge=0, le=2, description="how much durations vary; by default as the voice says"
    )
    seed: int = Field(0, ge=0, lt=2**31)


@dataclass(frozen=True)
class Utterance:
    """A piece of text that is spoken at once, and the seconds of silence behind it. An empty text
    is silence alone."""

    text: str
    pause: float = 0.0


@runtime_checkable
class Synthesising(Protocol):
    """What a `Backbone` with ``synthesise`` among its capabilities also owes."""

    @property
    def rate(self) -> int:
        """Samples a second."""
        ...

    def symbols(self, text: str) -> list[int]:
        """The numbers of the phonemes or letters that it reads of a text; empty where there is
        nothing to say.

        Raises:
            EnvironmentFault: ``phonemizer_missing`` with the command that installs it.
        """
        ...

    def spoken(self, text: str, how: Speaking) -> FloatArray:
        """(t,) a text of one piece; its bits depend on nothing else."""
        ...

    def judged(
        self, several: Sequence[FloatArray], rate: int, texts: Sequence[str], language: str | None
    ) -> list[FloatArray]:
        """(2 + d,) of samples (t,) each: word errors against its text, the median pitch in
        semitones above `PITCH`, or `UNVOICED`, and what tells voices apart. The judge has no part
        in training; what is kept by `activations` of a `Spoken` is the same."""
        ...


@runtime_checkable
class Voicing(Tuned, Protocol):
    """A `Tuned` that speaks."""

    def spoken(self, text: str, how: Speaking, lens: Lens) -> FloatArray:
        """(t,) samples; see `Synthesising.spoken`."""
        ...


# --- how a voice is judged ---------------------------------------------------------------------

# Of each sentence: its words; then of what the tuned voice, the untuned one and the speaker's own
# recording say, word errors, the median pitch in semitones above 100 Hz, and the similarity to the
# voice that is learned.
FIGURES = (
    "words",
    *("errors", "pitch", "similarity"),
    *("untuned_errors", "untuned_pitch", "untuned_similarity"),
    *("own_errors", "own_pitch", "own_similarity"),
)
PITCH = 100.0  # Hz, that pitches are told against
UNVOICED = -1000.0  # stands for the pitch of what has none
# Places in a cache, none of them a block of a backbone: all that a judge hears, and what tells
# voices apart alone, which takes far less work.
HEARD, VOICE = -1, -2


@dataclass(frozen=True)
class Spoken:
    """What a judge hears: a text as the untuned voice says it or, with a recording, as its speaker
    does."""

    text: str
    language: str | None
    recording: Recording | None = None


@dataclass(frozen=True, eq=False)
class Voiced:
    """How n sentences are spoken; see `supertune.contracts.Answers`.

    Attributes:
        figures: (n, 10), columns as `FIGURES`.
        likeness: as in `supertune.contracts.Predictions`.
    """

    figures: FloatArray
    likeness: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.figures)

    @property
    def scored(self) -> FloatArray:
        return self.figures

    def of(self, name: str) -> FloatArray:
        """(n,) one of `FIGURES`."""
        return np.asarray(self.figures[:, FIGURES.index(name)])

    def columns(self) -> dict[str, list[Any]]:
        """Those of `FIGURES`; None where nothing is voiced."""
        found: dict[str, list[Any]] = {
            name: [round(float(one), 6) if one > UNVOICED else None for one in self.of(name)]
            for name in FIGURES
        }
        return found | unlike(self.likeness)

    def listed(self) -> list[dict[str, Any]]:
        cells = self.columns()
        return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]

    def lines(self) -> list[str]:
        return [
            f"similarity {row['similarity']:.2f} (untuned {row['untuned_similarity']:.2f}), "
            f"{row['errors']:.0f} of {row['words']:.0f} words wrong"
            for row in self.listed()
        ]

    def counts(self) -> dict[str, int]:
        return {"similarity": len(self)}

    def marks(self) -> dict[str, int]:
        return {name: sum(cells) for name, cells in unlike(self.likeness).items()}

    def compared(self, likeness: FloatArray) -> Voiced:
        return replace(self, likeness=likeness)
