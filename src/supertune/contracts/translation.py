"""Texts put into another language: what a backbone that does so owes, and what it is asked.

Answers pass through the straight line as texts by number (`supertune.contracts.speech.numbered`),
and behind each one number below -1 that says what speaks against it (`flagged`).
What is frozen is kept under the ``repr`` of a piece of tokens: the states that the encoder makes of
it, or the tokens themselves where the encoder is tuned too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from supertune.contracts.answers import unlike
from supertune.contracts.backbone import Encoding, Lens
from supertune.contracts.data import FloatArray, Input, IntArray
from supertune.contracts.method import Options, Tuned
from supertune.contracts.speech import numbered, texts_of

TRANSLATION = ("translation",)  # the one name of what is answered
LETTERS = 1200  # characters of one answer at most, unless those that are learned from have more
SURE, UNSURE = -100.0, -100.0  # a surety as a number below any doubt's, and the least that is kept
DOUBTS = ("empty", "copied", "repeats", "length", "placeholders")  # see `Translated`

# (B, d) where the next words of B texts are, and (B, V) log-likelihoods -> (B, V) others.
Mixing = Callable[[Any, Any], Any]


class Rendering(Options):
    """How texts are translated."""

    beams: int = Field(1, ge=1, le=16, description="texts that are followed at a time")
    length_penalty: float = Field(
        1.0, ge=0, le=5, description="a text is chosen by its log-likelihood / length to this power"
    )
    longest: float = Field(
        3.0, gt=0, le=20, description="tokens of a translation at most, for each of the source"
    )
    glossary: Mapping[str, str] = Field(
        {}, description="terms and what they are called in the other language"
    )
    bias: float = Field(
        15.0,
        ge=0,
        le=50,
        description="how much terms of the glossary are preferred, in nats a token, "
        "where the decoder looks at what they stand for; 0: not at all",
    )
    n_best: int = Field(
        1,
        ge=1,
        le=16,
        description="translations that are told of each text, at most as many as beams; more than "
        "one of a text that is translated in one piece alone",
    )

    @model_validator(mode="after")
    def _agreeing(self) -> Rendering:
        if self.n_best > self.beams:
            raise ValueError(f"n_best is {self.n_best}, and at most as many as beams, {self.beams}")
        return self


@dataclass(frozen=True)
class Translated:
    """One translation.

    Attributes:
        surety: the mean log-likelihood of its tokens, at most 0.
        doubts: of `DOUBTS` why it may be wrong: nothing was written, or the source, or the same
            again and again; it is far longer or shorter than its source; placeholders differ, or
            what stands between them was translated piece by piece to keep them.
        others: the next best, where more than one was asked for.
    """

    text: str
    surety: float = 0.0
    doubts: tuple[str, ...] = ()
    others: tuple[Translated, ...] = ()


@runtime_checkable
class Translating(Protocol):
    """What puts texts of one language into one other. Tensors are the engine's own; inside
    ``with tunable:`` all but the backbone's `activations` is as tuned."""

    @property
    def source_language(self) -> str:
        """ISO code; empty where it is not known."""
        ...

    @property
    def target_language(self) -> str: ...

    def read(self, texts: Sequence[str]) -> list[Any]:
        """The piece of each source, whole however long it is."""
        ...

    def spelled(self, text: str) -> list[int]:
        """The tokens of a translation, the last of which ends it."""
        ...

    def states(self, kept: Sequence[FloatArray], cut: int) -> Any:
        """What the decoder reads of B sources, from what `activations` gave for each; with
        gradients where the encoder is tuned."""
        ...

    def losses(
        self,
        states: Any,
        texts: Sequence[Sequence[int]],
        smoothing: float = 0.0,
        among: IntArray | None = None,
    ) -> tuple[Any, Any]:
        """(B,) sums over tokens of their negative log-likelihood, with gradients, and (B,) how many
        tokens these are; ``among`` are all that may be written, in ascending order."""
        ...

    def likely(self, states: Any, texts: Sequence[Sequence[int]], count: int) -> IntArray:
        """The tokens that are among the ``count`` likeliest anywhere in these texts, ascending."""
        ...

    def contexts(
        self, states: Any, texts: Sequence[Sequence[int]]
    ) -> list[tuple[FloatArray, FloatArray]]:
        """For each of B texts (its tokens, d), where each token was about to be written, and (its
        tokens,) how likely it was."""
        ...

    def translated(
        self,
        states: Any,
        sources: Sequence[Any],
        how: Rendering,
        mixing: Mixing | None = None,
    ) -> list[Translated]:
        """(B,) translations of the pieces that the states are of."""
        ...


@runtime_checkable
class Directed(Protocol):
    """What a `Backbone` with ``translate`` among its capabilities also owes."""

    def translating(self, encoding: Encoding) -> Translating:
        """From and into the languages that ``encoding`` names, with its prefix before each source.

        Raises:
            InputError: ``language_missing``, ``unknown_language``, ``prefix_missing``.
        """
        ...


def translator(lens: Lens) -> Translating:
    """What translates as a lens' encoding says; see `Directed`."""
    assert isinstance(lens.backbone, Directed)
    return lens.backbone.translating(lens.encoding)


@runtime_checkable
class Rendered(Tuned, Protocol):
    """A `Tuned` that translates."""

    def translate(
        self, inputs: Sequence[Input], lens: Lens, how: Rendering, *, keep: bool = False
    ) -> Iterator[Translated]:
        """(n,) translations in the order of ``inputs``; ``keep``: through the lens' cache."""
        ...


def confidence(surety: float, doubts: Sequence[str]) -> float:
    """By which the translations are found that can be relied on: whatever something speaks against
    comes behind all others."""
    return 2 * UNSURE if doubts else surety


def flagged(found: Sequence[Translated], width: int) -> FloatArray:
    """(n, width) texts by number, what speaks against them and how sure the model was; what is
    longer is cut."""
    table = numbered([one.text for one in found], width - 2)
    table = np.column_stack([table, np.full((len(found), 2), -1.0)])
    for row, one in enumerate(found):
        mask = sum(1 << place for place, name in enumerate(DOUBTS) if name in one.doubts)
        place = min(len(one.text), width - 2)
        table[row, place : place + 2] = -1.0 - mask, SURE + max(one.surety, UNSURE)
    return table


def translations(answers: FloatArray) -> Translations:
    """The inverse of `flagged`."""
    table = np.asarray(answers)
    told = (table <= SURE).any(axis=1) if len(table) else np.zeros(0, dtype=bool)
    masks = np.where(table <= SURE, -1.0, table).min(axis=1, initial=-1.0)
    doubts = tuple(
        tuple(name for place, name in enumerate(DOUBTS) if round(-1 - low) >> place & 1)
        for low in masks.tolist()
    )
    surety = table.min(axis=1, initial=SURE) - SURE if told.all() else None
    return Translations(tuple(texts_of(table)), table.shape[1], doubts, surety)


@dataclass(frozen=True, eq=False)
class Translations:
    """Translations of n texts; see `supertune.contracts.Answers`.

    Attributes:
        width: W, how many numbers an answer takes.
        doubts: why each may be wrong, as `Translated.doubts`; None where that was not asked.
        surety: (n,) as `Translated.surety`; None where that is not known.
        abstained, likeness: as in `supertune.contracts.Predictions`.
    """

    texts: tuple[str, ...]
    width: int = LETTERS
    doubts: tuple[tuple[str, ...], ...] | None = None
    surety: FloatArray | None = None
    abstained: npt.NDArray[np.bool_] | None = None
    likeness: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def scored(self) -> FloatArray:
        doubts = self.doubts or ((),) * len(self)
        sureties = [0.0] * len(self) if self.surety is None else self.surety.tolist()
        return flagged(list(map(Translated, self.texts, sureties, doubts)), self.width)

    @property
    def given(self) -> tuple[str | None, ...]:
        """The translations, None where the model abstains."""
        if self.abstained is None:
            return self.texts
        pairs = zip(self.texts, self.abstained, strict=True)
        return tuple(None if left else text for text, left in pairs)

    @property
    def confidence(self) -> FloatArray:
        """(n,) by which the answers that are surest are found; see `confidence`."""
        assert self.surety is not None
        doubts = self.doubts or ((),) * len(self)
        pairs = zip(self.surety.tolist(), doubts, strict=True)
        return np.array([confidence(*one) for one in pairs])

    def columns(self) -> dict[str, list[Any]]:
        """``translation`` (empty where the model abstains); ``surety``, ``doubts``, ``abstained``
        and ``unlike`` where these are known."""
        found: dict[str, list[Any]] = {TRANSLATION[0]: list(self.given)}
        if self.surety is not None:
            found["surety"] = [round(one, 4) for one in self.surety.tolist()]
        if self.doubts is not None:
            found["doubts"] = [", ".join(one) for one in self.doubts]
        return {**found, **self._marked()}

    def _marked(self) -> dict[str, list[bool]]:
        left = {} if self.abstained is None else {"abstained": self.abstained.tolist()}
        return {**left, **unlike(self.likeness)}

    def listed(self) -> list[dict[str, Any]]:
        cells = self.columns()
        return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]

    def lines(self) -> list[str]:
        lines = [text or "(nothing)" for text in self.texts]
        for row, left in enumerate(self._marked().get("abstained", [])):
            lines[row] = f"no answer; likeliest {lines[row]}" if left else lines[row]
        return lines

    def counts(self) -> dict[str, int]:
        return {TRANSLATION[0]: len(self)}

    def marks(self) -> dict[str, int]:
        odd = {} if self.doubts is None else {"doubtful": sum(map(bool, self.doubts))}
        return odd | {name: sum(cells) for name, cells in self._marked().items()}

    def compared(self, likeness: FloatArray) -> Translations:
        return replace(self, likeness=likeness)
