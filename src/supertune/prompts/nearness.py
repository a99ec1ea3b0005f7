"""Which texts share most words with another: cosine of weighted counts (Salton & Buckley 1988)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from supertune.contracts import FloatArray

_WORD = re.compile(r"\w+")


class Nearness:
    """A list of texts to be near to. Words count by how few of them have them."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(_WORD.findall(text.casefold())) for text in texts]
        having = Counter(word for one in counts for word in one)
        self._rarity = {w: math.log((1 + len(texts)) / (1 + n)) + 1 for w, n in having.items()}
        self._vectors = [self._unit(one) for one in counts]

    def _unit(self, counts: Counter[str]) -> dict[str, float]:
        raw = {
            word: (1 + math.log(times)) * self._rarity[word]
            for word, times in counts.items()
            if word in self._rarity
        }
        norm = math.sqrt(sum(one * one for one in raw.values()))
        return {word: one / norm for word, one in raw.items()} if norm else {}

    def to(self, text: str) -> FloatArray:
        """(n,) from 0 to 1 how near each is to ``text``."""
        own = self._unit(Counter(_WORD.findall(text.casefold())))
        found = [sum(one * own.get(word, 0.0) for word, one in v.items()) for v in self._vectors]
        return np.array(found)
