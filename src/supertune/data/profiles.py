"""What the cells of a column are like, from which its meaning is guessed.

Everything is counted over all rows, so that their order cannot change a guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supertune.data.cells import as_label, as_number, as_time, is_empty, is_list

_WORDS = re.compile(
    r"\S\s+\S|[\u2e80-\u9fff\uac00-\ud7af\u0e00-\u0e7f]{4}"
)  # two words, or no blanks
_CODE = re.compile(r"(?:https?://|www\.|[\w.+-]+@[\w-]+\.)\S*|[\w./:\\-]*\d[\w./:\\-]*")


@dataclass(frozen=True)
class Profile:
    """One column in figures.

    Attributes:
        rows: how many cells are not empty.
        distinct: how many different values they have.
        length: their mean number of characters.
        prose: share of cells with more than one word.
        numbers, times, lists, codes: share of cells that are numbers, moments, lists of values,
            or an address, a path, a number with letters.
    """

    name: str
    rows: int
    distinct: int
    length: float
    prose: float
    numbers: float
    times: float
    lists: float
    codes: float

    @property
    def variety(self) -> float:
        """Different values a row, 1 when all differ."""
        return self.distinct / self.rows if self.rows else 0.0


def profile(name: str, cells: Sequence[Any]) -> Profile:
    """The figures of one column; time and memory grow with its number of characters."""
    held = [cell for cell in cells if is_list(cell) or not is_empty(cell)]
    lists = sum(map(is_list, held))
    texts = [str(list(cell)) if is_list(cell) else as_label(cell) for cell in held]
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    # Each distinct value is looked at once: a label column has few.
    weight = max(1, len(held))
    numbers = sum(n for text, n in counts.items() if as_number(text) is not None)
    times = sum(n for text, n in counts.items() if len(text) <= 40 and as_time(text) is not None)
    prose = sum(n for text, n in counts.items() if _WORDS.search(text[:200]))
    codes = sum(n for text, n in counts.items() if len(text) < 400 and _CODE.fullmatch(text))
    return Profile(
        name,
        len(held),
        len(counts),
        sum(map(len, texts)) / weight,
        prose / weight,
        numbers / weight,
        times / weight,
        lists / weight,
        codes / weight,
    )
