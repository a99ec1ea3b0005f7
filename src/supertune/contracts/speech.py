"""Speech written down: what a backbone that does so owes, and what texts are as answers.

Answers pass through the straight line as (n, W) numbers: the characters of each text by number
(Unicode code points), -1 behind its end. Targets are (n,) strings.

What is frozen is kept under the ``repr`` of a `Clip`: the states that the encoder makes of one, or
its spectrum where the encoder is tuned too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import Field

from supertune.contracts.answers import unlike
from supertune.contracts.backbone import Encoding, Lens
from supertune.contracts.data import FloatArray, Input, Recording
from supertune.contracts.method import Options, Tuned

TRANSCRIPT = ("transcript",)  # the one name of what is answered
CHARACTERS = 1200  # of one answer at most, unless those that are learned from have more


@dataclass(frozen=True)
class Clip:
    """A part of a recording as an encoder reads it.

    Attributes:
        start, seconds: what of the recording is heard.
        window: seconds that the encoder reads; behind the clip there is silence.
    """

    recording: Recording
    start: float
    seconds: float
    window: float

    @property
    def end(self) -> float:
        return self.start + self.seconds


class Listening(Options):
    """How speech is written down."""

    language: str | None = Field(
        None, description="code of the language spoken, such as fr; by default it is detected"
    )
    hints: tuple[str, ...] = Field(
        (), description="names and terms that may be said, which are then preferred"
    )
    bias: float = Field(
        2.0, ge=0, le=20, description="how much hints are preferred, in nats a token; 0: not at all"
    )
    domain_text: tuple[str, ...] = Field(
        (), description="texts of the field, whose turns of phrase are then likelier"
    )
    domain_weight: float = Field(
        0.2, ge=0, le=2, description="how much these texts count beside what is heard; 0: not"
    )
    beams: int = Field(1, ge=1, le=16, description="texts that are followed at a time")
    timestamps: bool = Field(False, description="say when each piece begins and ends")
    overlap: float = Field(
        4.0, ge=0, le=15, description="seconds that windows of a long recording share"
    )
    guard: bool = Field(
        True, description="leave out what is written of silence, and what repeats itself"
    )


def listening_of(encoding: Encoding) -> Listening:
    """How recordings are written down where nobody says otherwise."""
    return Listening(
        language=encoding.language, hints=encoding.hints, domain_text=encoding.domain_text
    )


@dataclass(frozen=True)
class Segment:
    """A piece of what is said, in seconds of its recording."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Written:
    """What is said in one recording.

    Attributes:
        language: as given, or as detected.
        segments: pieces with their times; one for each window where no times were asked for.
        surety: the mean log-likelihood of its tokens, at most 0.
        doubts: why something was left out or may be wrong: ``"silence"``, ``"repeats"``,
            ``"skipped"`` (read again in parts, as too little was written of the whole).
    """

    text: str
    language: str
    segments: tuple[Segment, ...] = ()
    surety: float = 0.0
    doubts: tuple[str, ...] = ()


@runtime_checkable
class Transcribing(Protocol):
    """What a `Backbone` with ``transcribe`` among its capabilities also owes. Tensors are the
    engine's own; inside ``with tunable:`` all but `activations` is as tuned."""

    @property
    def window(self) -> float:
        """Seconds that the encoder reads at most."""
        ...

    @property
    def shorter(self) -> tuple[float, ...]:
        """Shorter windows, in seconds, ascending, that may do as well and cost less; none where a
        clip is read as long as it is."""
        ...

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that it writes down; empty where it knows one alone."""
        ...

    def seconds(self, recording: Recording) -> float:
        """How long it is."""
        ...

    def spelled(self, text: str) -> list[int]:
        """The tokens of a text as it would be written down, the last of which ends it."""
        ...

    def states(self, kept: Sequence[FloatArray], cut: int) -> Any:
        """(B, T, d) what the encoder gives of clips of one window, from what `activations` gave
        for each, or whatever of the engine's own stands for it; with gradients where it is
        tuned."""
        ...

    def losses(
        self,
        states: Any,
        texts: Sequence[Sequence[int]],
        language: str,
        smoothing: float = 0.0,
    ) -> tuple[Any, Any]:
        """(B,) sums over tokens of their negative log-likelihood, with gradients, and (B,) how many
        tokens these are; ``smoothing`` of each token's mass is spread over the vocabulary."""
        ...

    def heard(self, states: Any) -> list[str]:
        """(B,) the language that each is likeliest in."""
        ...

    def written(
        self, states: Any, clips: Sequence[Clip], languages: Sequence[str], how: Listening
    ) -> list[Written]:
        """(B,) what is said in each; segments are in seconds of the recordings."""
        ...


@runtime_checkable
class Writing(Tuned, Protocol):
    """A `Tuned` that writes down speech."""

    @property
    def language(self) -> str | None:
        """That it was held to, or tuned on; None: as it is heard."""
        ...

    def transcribe(
        self, inputs: Sequence[Input], lens: Lens, how: Listening, *, keep: bool = False
    ) -> Iterator[Written]:
        """(n,) what is said in recordings of any length; ``keep``: through the lens' cache."""
        ...


# --- texts as answers --------------------------------------------------------------------------


def numbered(texts: Sequence[str], width: int) -> FloatArray:
    """(n, width) characters by number; what is longer is cut."""
    table = np.full((len(texts), width), -1.0)
    for row, text in enumerate(texts):
        held = [ord(sign) for sign in text[:width]]
        table[row, : len(held)] = held
    return table


def texts_of(answers: FloatArray) -> list[str]:
    """(n,) the inverse of `numbered`."""
    return ["".join(chr(int(one)) for one in row if one >= 0) for row in np.asarray(answers)]


def room_of(targets: npt.NDArray[Any]) -> int:
    """W, by the texts that are learned from."""
    longest = max((len(text) for text in targets.tolist()), default=0)
    return max(CHARACTERS, 2 * longest)


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts as answers to n rows; see `supertune.contracts.Answers`.

    Attributes:
        texts: one a row.
        width: W, how many numbers an answer takes.
        likeness: as in `supertune.contracts.Predictions`.
    """

    COLUMN: ClassVar[str]
    NOTHING: ClassVar[str]  # what a terminal shows of an empty text

    texts: tuple[str, ...]
    width: int = CHARACTERS
    likeness: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def scored(self) -> FloatArray:
        return numbered(self.texts, self.width)

    def columns(self) -> dict[str, list[Any]]:
        """`COLUMN`."""
        return {self.COLUMN: list(self.texts), **unlike(self.likeness)}

    def listed(self) -> list[dict[str, Any]]:
        cells = self.columns()
        return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]

    def lines(self) -> list[str]:
        return [text or self.NOTHING for text in self.texts]

    def counts(self) -> dict[str, int]:
        return {self.COLUMN: len(self)}

    def marks(self) -> dict[str, int]:
        return {name: sum(cells) for name, cells in unlike(self.likeness).items()}

    def compared(self, likeness: FloatArray) -> Self:
        return replace(self, likeness=likeness)


@dataclass(frozen=True, eq=False)
class Transcripts(Texts):
    """What is said in n recordings."""

    COLUMN = TRANSCRIPT[0]
    NOTHING = "(nothing is said)"
