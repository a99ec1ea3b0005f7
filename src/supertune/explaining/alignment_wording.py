"""An alignment in plain words: what was written from what, what is like it, and how far that can
be trusted."""

from __future__ import annotations

from supertune.explaining.alignment import HOW, Alignment, WrittenWord
from supertune.explaining.wording import ENOUGH, shown

WIDTH = 24  # characters of a word that others are put below


def lines(found: Alignment) -> list[str]:
    """The whole of it."""
    notes = f"  ({', '.join(found.doubts)})" if found.doubts else ""
    return [f"{found.translation}{notes}", "", *_words(found), *_pairs(found), *_trust(found)]


def _words(found: Alignment) -> list[str]:
    if not found.words:
        return ["Nothing in it is translated."]
    width = min(WIDTH, max(len(one.word.text) for one in found.words))
    made = [f"  {one.word.text.ljust(width)}  {_sources(one)}" for one in found.words]
    told = ["Each word, and what the decoder looked at (share of all that it looked at):", *made]
    if any(one.holds is False for one in found.words):
        told.append("  ? it needs that word no more than any other")
    return told


def _sources(one: WrittenWord) -> str:
    named = ", ".join(f"{word.text} {share:.2f}" for word, share in one.named)
    return (named or "nothing in particular") + ("  ?" if one.holds is False else "")


def _pairs(found: Alignment) -> list[str]:
    if not found.nearest:
        return []
    made = []
    for one in found.nearest:
        made.append(f"  {one.likeness:.2f}  {shown(one.source)}")
        made.append(f"        {shown(one.translation)}  (both have: {', '.join(one.shared)})")
    return ["", "Pairs learned from that are most like it:", *made]


def _trust(found: Alignment) -> list[str]:
    if not found.tested:
        return []
    if found.falls <= max(found.other, 0.0):
        said = "Do not rely on this: a word needs what was looked at no more than anything else."
    elif found.falls < ENOUGH * found.other:
        said = "Take this with care: a word needs what was looked at little more than other words."
    else:
        said = "What was looked at is what the words were written from."
    figures = (
        f"  Measured: without the word that was looked at most, a word's log-likelihood falls by "
        f"{found.falls:.2f} on average (without another {found.other:.2f}, {found.tested} words)."
    )
    return ["", said, figures, f"  Found by {HOW}."]
