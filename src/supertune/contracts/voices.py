"""Speech made of text: what a backbone that speaks owes, and how it is asked to.

Samples are (t,) float32 from -1 to 1 of one channel, `Synthesising.rate` a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pydantic import Field

from supertune.contracts.backbone import Lens
from supertune.contracts.data import FloatArray
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


@runtime_checkable
class Voicing(Tuned, Protocol):
    """A `Tuned` that speaks."""

    def spoken(self, text: str, how: Speaking, lens: Lens) -> FloatArray:
        """(t,) samples; see `Synthesising.spoken`."""
        ...
