"""The parts of an input that can be taken away: words of a text in any script, or columns (of a
picture see `patches`).

A word is a run of letters and digits, with apostrophes and hyphens inside; of scripts that write
without spaces a single character. What is neither, punctuation or emoji, is a part of its own, so
that all parts together are everything but blanks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from supertune.contracts import Contribution, FloatArray, Input, Span, fields_of

MOST = 160  # parts of one input; where there are more words, neighbours are taken together
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
# Vowel signs and accents of these scripts belong to the character before.
_MARKS = "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u102b-\u103e\u17b4-\u17d3\u3099\u309a"
_LETTER = rf"[^\W_{_UNSPACED}]"
_PART = re.compile(
    rf"[{_UNSPACED}][{_MARKS}]*"
    rf"|{_LETTER}(?:[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u200d]|{_LETTER}|['’-](?={_LETTER}))*"
    rf"|(?:(?!{_LETTER}|[{_UNSPACED}])\S)+"
)


class Parts(Protocol):
    """An input and the P parts of it that can be taken away."""

    @property
    def value(self) -> Input: ...

    @property
    def names(self) -> tuple[str, ...]:
        """What stands there, in reading order."""
        ...

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where; see `supertune.contracts.explaining`."""
        ...

    @property
    def noun(self) -> tuple[str, str]:
        """What a part is called, and several."""
        ...

    @property
    def signs(self) -> bool:
        """Whether pieces of `marked` say by themselves for and against."""
        ...

    @property
    def taking_away(self) -> str:
        """How one is taken away, to go on with "and asking again"."""
        ...

    def __len__(self) -> int: ...

    def without(self, gone: Collection[int]) -> Input:
        """The input less some of its parts."""
        ...

    def only(self, kept: Collection[int]) -> Input:
        """Nothing but some of its parts."""
        ...

    def gathered(self, given: Contribution) -> FloatArray:
        """(P,) what the parts add, by where spans lie. What belongs to none is left out."""
        ...

    def marked(self, strengths: Sequence[float]) -> Iterator[tuple[str, float]]:
        """The input as pieces of text with the strength (P,) of their part, 0 where a piece
        belongs to none."""
        ...

    def drawn(self, strengths: Sequence[float]) -> bytes | None:
        """The same as a PNG; None where text shows it."""
        ...


@dataclass(frozen=True, eq=False)
class Words:
    """A text or several, and its words; see `Parts`."""

    value: Input
    spans: tuple[Span, ...]
    names: tuple[str, ...]
    noun: tuple[str, str] = ("word", "words")
    taking_away: str = "taking each word away"
    signs: bool = False

    def __len__(self) -> int:
        return len(self.spans)

    def without(self, gone: Collection[int]) -> Input:
        if not gone:
            return self.value
        left = [list(text) for text in self._fields]
        for part in gone:
            field, start, end = self.spans[part]
            left[field][start:end] = [""] * (end - start)
        fields = tuple(_tidy("".join(characters)) for characters in left)
        return fields[0] if isinstance(self.value, str) else fields

    def only(self, kept: Collection[int]) -> Input:
        return self.without(set(range(len(self))) - set(kept))

    def gathered(self, given: Contribution) -> FloatArray:
        """Each span's share by the characters it has in a part."""
        found = np.zeros(len(self))
        places = [np.full(len(text), -1) for text in self._fields]
        for part, (field, start, end) in enumerate(self.spans):
            places[field][start:end] = part
        for (field, start, end), share in zip(given.spans, given.shares, strict=True):
            touched = places[field][start:end]
            touched = touched[touched >= 0]
            if len(touched):
                np.add.at(found, touched, share / len(touched))
        return found

    def marked(self, strengths: Sequence[float]) -> Iterator[tuple[str, float]]:
        """Fields of a pair stand on lines of their own."""
        for number, text in enumerate(self._fields):
            place = 0
            for (field, start, end), strength in zip(self.spans, strengths, strict=True):
                if field != number:
                    continue
                yield text[place:start], 0.0
                yield text[start:end], strength
                place = end
            yield text[place:] + ("\n" if number + 1 < len(self._fields) else ""), 0.0

    def drawn(self, strengths: Sequence[float]) -> bytes | None:
        return None

    @cached_property
    def _fields(self) -> tuple[str, ...]:
        return tuple(map(str, fields_of(self.value)))


@dataclass(frozen=True, eq=False)
class Cells:
    """A row of numbers; one that is taken away becomes its ``reference``. See `Parts`."""

    value: Input
    names: tuple[str, ...]
    reference: tuple[float, ...]
    noun: tuple[str, str] = ("column", "columns")
    taking_away: str = "setting each column to the mean of the labelled rows"
    signs: bool = False

    def __len__(self) -> int:
        return len(self.names)

    @property
    def spans(self) -> tuple[Span, ...]:
        return tuple((column, 0, 0) for column in range(len(self)))

    def without(self, gone: Collection[int]) -> Input:
        if not gone:
            return self.value
        return tuple(
            self.reference[i] if i in gone else float(number)
            for i, number in enumerate(fields_of(self.value))
        )

    def only(self, kept: Collection[int]) -> Input:
        return self.without(set(range(len(self))) - set(kept))

    def gathered(self, given: Contribution) -> FloatArray:
        found = np.zeros(len(self))
        np.add.at(found, [span[0] for span in given.spans], given.shares)
        return found

    def marked(self, strengths: Sequence[float]) -> Iterator[tuple[str, float]]:
        for place, name in enumerate(self.names):
            yield "\n" if place else "", 0.0
            yield f"{name} {fields_of(self.value)[place]:.6g}", strengths[place]

    def drawn(self, strengths: Sequence[float]) -> bytes | None:
        return None


def words(value: Input, most: int = MOST) -> Words:
    """The words of a text or of a tuple of texts; more than ``most`` in groups of neighbours."""
    fields = tuple(map(str, fields_of(value)))
    spans = [
        (number, *found.span())
        for number, text in enumerate(fields)
        for found in _PART.finditer(text)
    ]
    size = -(-len(spans) // most) if len(spans) > most else 1
    grouped: list[Span] = []
    for number in range(len(fields)):
        mine = [span for span in spans if span[0] == number]
        groups = [mine[start : start + size] for start in range(0, len(mine), size)]
        grouped += [(number, group[0][1], group[-1][2]) for group in groups]
    names = tuple(fields[number][start:end] for number, start, end in grouped)
    return Words(value, tuple(grouped), names)


def columns(value: Input, names: Sequence[str], reference: Sequence[float]) -> Cells:
    """The numbers of a row; one that is taken away becomes its ``reference``."""
    return Cells(value, tuple(names), tuple(reference))


def _tidy(text: str) -> str:
    return re.sub(r"\s{2,}", " ", text).strip()
