"""What in a text is for a program and stays as it is: ``%s``, ``{name}``, ``<b>``, ``&lt;``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_KINDS = (
    r"%(?:\(\w+\)|\d+\$)?[-+#0 ]?\d*(?:\.\d+)?[sdifgexXcrulSD](?![a-zA-Z])",  # printf
    r"%\d(?!\d)",  # Qt
    r"\$?\{[A-Za-z0-9_.:!,\- ]{0,40}\}\}?",  # format strings, templates
    r"\$\w+\$",
    r"</?[A-Za-z][A-Za-z0-9:_-]*(?:\s[^<>]{0,200})?/?>",  # tags
    r"&(?:[a-z]{2,8}|#\d{2,5});",  # entities
)
STEMS = ("XX", "WX", "QX")  # of words that translators copy: 29 of 30, of "{name}" none
PATTERN = re.compile("|".join(f"(?:{kind})" for kind in _KINDS))


def of(text: str) -> Counter[str]:
    """How often each is in a text."""
    return Counter(PATTERN.findall(text))


def apart(text: str) -> list[tuple[str, bool]]:
    """A text in parts, and of each whether it is a placeholder."""
    found, at = [], 0
    for match in PATTERN.finditer(text):
        if match.start() > at:
            found.append((text[at : match.start()], False))
        found.append((match.group(), True))
        at = match.end()
    if at < len(text):
        found.append((text[at:], False))
    return found


@dataclass(frozen=True)
class Masked:
    """A text whose placeholders are words that translators copy.

    Attributes:
        words: what stands for each placeholder.
        held: each placeholder, and whether a word stood right before and right behind it.
    """

    text: str
    words: tuple[str, ...] = ()
    held: tuple[tuple[str, bool, bool], ...] = ()

    def back(self, text: str) -> str | None:
        """A translation with the placeholders in their places; None where one was lost."""
        for word, (placeholder, before, behind) in zip(self.words, self.held, strict=True):
            parts = re.split(rf"(?<!\w){word}(?!\w)", text)
            if len(parts) != 2:
                return None
            first = parts[0].rstrip(" ") if before else parts[0]
            text = first + placeholder + (parts[1].lstrip(" ") if behind else parts[1])
        return text

    def other(self, text: str) -> str | None:
        """The translation that a person made with the same words in it; None where its
        placeholders are not those of this text, each as often."""
        spare = list(zip(self.words, (one for one, _, _ in self.held), strict=True))
        made = ""
        for part, placeholder in apart(text):
            if not placeholder:
                made += (" " if made and part[:1].isalnum() else "") + part
                continue
            found = next((one for one in spare if one[1] == part), None)
            if found is None:
                return None
            spare.remove(found)
            made += (" " if made[-1:].isalnum() else "") + found[0]
        return None if spare else made


def masked(text: str) -> Masked:
    """A text with words in the place of its placeholders: "XX1", which nothing else is called."""
    parts = apart(text)
    if not any(placeholder for _, placeholder in parts):
        return Masked(text)
    stem = next((one for one in STEMS if one not in text), STEMS[0])
    made = ""
    words: list[str] = []
    held: list[tuple[str, bool, bool]] = []
    for number, (part, placeholder) in enumerate(parts):
        if not placeholder:
            # What was parted from a word by a placeholder alone is parted by a blank.
            made += (" " if words and part[:1].isalnum() else "") + part
            continue
        behind = number + 1 < len(parts) and parts[number + 1][0][:1].isalnum()
        held.append((part, made[-1:].isalnum(), behind))
        words.append(f"{stem}{len(words) + 1}")
        made += (" " if made[-1:].isalnum() else "") + words[-1]
    return Masked(made, tuple(words), tuple(held))


def shown(sources: Sequence[str], targets: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs as a model learns from them: with words for placeholders where both sides have the
    same, else as they are."""
    found = []
    for source, target in zip(sources, targets, strict=True):
        one = masked(source)
        other = one.other(target) if one.words else None
        found.append((source, target) if other is None else (one.text, other))
    return found
