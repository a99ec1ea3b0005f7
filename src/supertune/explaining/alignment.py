"""Which words of a source each word of a translation was written from, and whether that holds.

A word's source is what the decoder looked at while it was written. Where it looked is no proof of
what it used (Jain & Wallace 2019, arXiv:1902.10186), so each word of the source is made unknown in
turn, and it is measured how much less likely every word of the translation is then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from supertune.explaining.near_pairs import NearPair

NAMED = 0.15  # of all that was looked at, from which on a word of the source is named
HOW = "where the decoder looked while it wrote each word"


@dataclass(frozen=True)
class Word:
    """A word, or a sign, from a first character to the one behind its last."""

    text: str
    start: int
    end: int

    def as_dict(self) -> dict[str, Any]:
        return {"text": self.text, "start": self.start, "end": self.end}


@dataclass(frozen=True)
class WrittenWord:
    """A word of a translation.

    Attributes:
        sources: words of the source and how much was looked at each, the most first.
        likely: its log-likelihood behind the words before it.
        falls: what that loses once the word that was looked at most is unknown; None for signs, and
            where the source has no other word.
        other: what it loses on average once another word is unknown.
    """

    word: Word
    sources: tuple[tuple[Word, float], ...]
    likely: float
    falls: float | None = None
    other: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether it needs the word that was looked at more than others; None if untested."""
        if self.falls is None or self.other is None:
            return None
        return self.falls > self.other

    @property
    def named(self) -> list[tuple[Word, float]]:
        return [(word, share) for word, share in self.sources if share >= NAMED]

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.word.as_dict(),
            "log_likelihood": self.likely,
            "sources": [{**word.as_dict(), "share": share} for word, share in self.named],
            "falls": self.falls,
            "other": self.other,
        }


@dataclass(frozen=True, eq=False)
class Alignment:
    """Why a text was translated as it was.

    Attributes:
        surety, doubts: as `supertune.contracts.Translated`.
        words: of the translation, in their order.
        nearest: pairs that were learned from.
        asked: how many sources the model was asked about, with words of them unknown.
    """

    source: str
    translation: str
    surety: float
    doubts: tuple[str, ...]
    words: list[WrittenWord]
    nearest: list[NearPair]
    asked: int

    @property
    def tested(self) -> int:
        """Words by which the faithfulness is measured."""
        return sum(one.holds is not None for one in self.words)

    @property
    def falls(self) -> float:
        """Mean of `WrittenWord.falls`."""
        return self._mean([one.falls for one in self.words if one.falls is not None])

    @property
    def other(self) -> float:
        """Mean of `WrittenWord.other`."""
        return self._mean([one.other for one in self.words if one.other is not None])

    def _mean(self, values: list[float]) -> float:
        return sum(values) / len(values) if values else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "input": self.source,
            "answer": {
                "translation": self.translation,
                "surety": self.surety,
                "doubts": list(self.doubts),
            },
            "way": "attention",
            "how": HOW,
            "words": [one.as_dict() for one in self.words],
            "faithfulness": {"falls": self.falls, "other": self.other, "words": self.tested}
            if self.tested
            else None,
            "nearest": [one.as_dict() for one in self.nearest],
            "asked": self.asked,
        }

    def __str__(self) -> str:
        from supertune.explaining.alignment_wording import lines

        return "\n".join(lines(self))

    __repr__ = __str__
