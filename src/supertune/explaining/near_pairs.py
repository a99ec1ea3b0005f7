"""Of the pairs that were learned from, those that share the rarest words with a text."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from supertune.contracts import Examples

SHARED = 5  # words that are named


@dataclass(frozen=True)
class NearPair:
    """One pair that was learned from.

    Attributes:
        likeness: the cosine of the two sets of words, each weighed by how few sources have it.
        shared: the words that both have, the rarest first.
    """

    source: str
    translation: str
    likeness: float
    shared: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "translation": self.translation,
            "likeness": round(self.likeness, 4),
            "shared": list(self.shared),
        }


def near_pairs(rows: Examples | None, text: str, count: int) -> list[NearPair]:
    """The ``count`` pairs most like a text, those with no word of it left out."""
    if rows is None or rows.targets is None:
        return []
    held = [_words(str(value)) for value in rows.inputs]
    known = Counter(word for words in held for word in words)
    own = _words(text)
    weights = {
        word: math.log1p(len(held) / max(1, known[word])) ** 2 for word in own | known.keys()
    }

    def length(words: frozenset[str]) -> float:
        return math.sqrt(sum(weights[word] for word in sorted(words)))

    found = []
    for place, words in enumerate(held):
        both = sorted(own & words, key=lambda word: (-weights[word], word))
        if both:
            total = sum(weights[word] for word in both)
            found.append((total / (length(own) * length(words)), place, both))
    found.sort(key=lambda one: (-one[0], one[1]))
    return [
        NearPair(str(rows.inputs[place]), str(rows.targets[place]), alike, tuple(both[:SHARED]))
        for alike, place, both in found[:count]
    ]


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))
