"""Terms of a glossary that are preferred while a translation is written (shallow fusion).

A term counts for the sources that mention it. Its first word is preferred while the decoder looks
at where it stands in the source (guided alignment, Chen et al. 2016, arXiv:1607.01628), and each
next one behind those before it; what follows the last is free, so that endings may be put behind
it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LOOKED = 0.4  # of all attention, from which on a word is being translated
ENDING = r"\w{0,2}"  # of a word in a source that is still the same term: "desktops"


@dataclass(frozen=True)
class Mention:
    """A term in a source: the tokens that it takes there, and what it is called, as tokens in
    several spellings."""

    places: tuple[int, ...]
    spellings: tuple[tuple[int, ...], ...]


def mentions(
    glossary: Mapping[str, tuple[tuple[int, ...], ...]],
    text: str,
    offsets: Sequence[tuple[int, int]],
) -> list[Mention]:
    """The terms of a glossary in one source; ``offsets`` are where its tokens begin and end."""
    found = []
    for term, spellings in glossary.items():
        pattern = rf"(?<!\w){re.escape(term)}{ENDING}(?!\w)"
        for match in re.finditer(pattern, text, re.IGNORECASE):
            start, end = match.span()
            places = [i for i, (first, last) in enumerate(offsets) if first < end and last > start]
            found.append(Mention(tuple(places), spellings))
    return found


class Terms:
    """The terms of a batch.

    Args:
        held: those that each source mentions.
        bias: nats that a token is preferred by.
    """

    def __init__(self, held: Sequence[Sequence[Mention]], bias: float) -> None:
        self.held, self.bias = held, bias

    def preferred(
        self, chances: Any, looked: Any, rows: Sequence[int], texts: Sequence[Sequence[int]]
    ) -> Any:
        """(B, V) with what is preferred raised.

        Args:
            looked: (B, S) how much is looked at each token of the source.
            rows: the sources of the B texts.
        """
        raised = None
        for place, (row, text) in enumerate(zip(rows, texts, strict=True)):
            for one in self.held[row]:
                seen = float(looked[place, list(one.places)].sum()) >= LOOKED
                for token in _next(one.spellings, text, seen):
                    raised = chances.clone() if raised is None else raised
                    raised[place, token] = chances[place, token] + self.bias
        return chances if raised is None else raised


def _next(spellings: Sequence[tuple[int, ...]], text: Sequence[int], seen: bool) -> set[int]:
    """The tokens that would go on with a term, or begin it where its source is ``seen``; none once
    it is there."""
    found = set()
    for term in spellings:
        held = len(term)
        if any(tuple(text[at : at + held]) == term for at in range(len(text) - held + 1)):
            return set()
        begun = max(size for size in range(held) if size == 0 or tuple(text[-size:]) == term[:size])
        if begun or seen:
            found.add(term[begun])
    return found
