"""How a text is written, whatever it is about: shares of kinds of characters, and its words.

Two collections of texts can share their subjects and differ in this, as news agencies and
newspapers do; a sentence encoder is trained not to see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from supertune.contracts import FloatArray, Input, fields_of

READ = 300  # characters at the beginning of each text
KINDS = (".", ",", "'’", '"“”„«»', "-–—", "!?", ":;", "()[]{}<>|/@#*_=+%$&~^\\", "\n\t\r")
COLUMNS = len(KINDS) + 6


def measured(inputs: Sequence[Input]) -> FloatArray:
    """(n, `COLUMNS`) of texts or pairs of texts: roots of shares, which spread alike whether a
    kind of character is rare or common, and mean lengths."""
    found = np.array([_row(one) for one in inputs], dtype=np.float64)
    return np.sqrt(found.reshape(len(inputs), COLUMNS))


def _row(given: Input) -> list[float]:
    text = (" ".join(map(str, fields_of(given))))[:READ]
    counts, words = Counter(text), text.split()
    length, number = max(1, len(text)), max(1, len(words))
    kinds = [sum(counts[character] for character in kind) for kind in KINDS]
    kinds += [
        sum(count for character, count in counts.items() if character.isupper()),
        sum(count for character, count in counts.items() if character.isdigit()),
        sum(count for character, count in counts.items() if ord(character) > 127),
        text.count("  "),
    ]
    return [
        *(count / length for count in kinds),
        sum(map(len, words)) / number,
        len(set(words)) / number,
    ]
