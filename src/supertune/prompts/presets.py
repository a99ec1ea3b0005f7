"""Templates and words that come along: five kinds of question in six languages.

They are data, in ``tables/``: ``labels.json`` says what a label's name means whatever language it
is in; a language's table has for each kind groups of templates, each with the words that fit in
there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from supertune.errors import unknown_name
from supertune.prompts import verbalizer

LANGUAGES = ("en", "zh", "fr", "de", "es", "pt")
KINDS = ("sentiment", "spam", "yes_no", "topic", "intent")
OPEN = ("topic", "intent")
"""Kinds whose labels are anything, and stand for themselves."""


@dataclass(frozen=True)
class Preset:
    """One template, and the words that fit into it by the meaning of the label.

    ``name`` is ``sentiment/en/1``, as the recipe's key ``preset`` takes it.
    """

    name: str
    kind: str
    template: str
    words: dict[str, str]

    def verbalizer(self, labels: Sequence[str]) -> dict[str, str]:
        """A word for each label; one whose meaning is not known here stands for itself."""
        known, own = meanings(self.kind, labels), verbalizer.named(labels)
        return {label: self.words.get(known.get(label, ""), own[label]) for label in labels}


@cache
def presets(kind: str, language: str) -> tuple[Preset, ...]:
    """All presets of one kind in one language, the first being the default."""
    groups = _table(language)[kind]
    pairs = [(template, group["words"]) for group in groups for template in group["templates"]]
    return tuple(
        Preset(f"{kind}/{language}/{number}", kind, template, words)
        for number, (template, words) in enumerate(pairs, 1)
    )


def chosen(name: str, language: str) -> tuple[Preset, ...]:
    """What a name stands for: ``sentiment`` and ``sentiment/fr`` several, ``sentiment/fr/2`` one.

    Raises:
        InputError: ``unknown_preset`` with the names there are.
    """
    kind, _, rest = name.partition("/")
    code, _, number = rest.partition("/")
    if kind in KINDS and (code or language) in LANGUAGES:
        found = presets(kind, code or language)
        if not number:
            return found
        if number.isdecimal() and 1 <= int(number) <= len(found):
            return (found[int(number) - 1],)
    known = [*KINDS, *(f"{each}/{code}" for each in KINDS for code in LANGUAGES)]
    if kind in KINDS and code in LANGUAGES:
        known = [preset.name for preset in presets(kind, code)]
    raise unknown_name("preset", name, known)


def kind_of(labels: Sequence[str]) -> str:
    """What is asked, by the names of the labels: a kind in which each means something else."""
    for kind in KINDS:
        found = meanings(kind, labels)
        if kind not in OPEN and len(found) == len(set(found.values())) == len(labels) > 1:
            return kind
    return "topic"


def meanings(kind: str, labels: Sequence[str]) -> dict[str, str]:
    """What the labels mean in questions of a kind; those that are not known are left out."""
    names = _meanings().get(kind, {})
    found = {label: names[folded] for label in labels if (folded := _folded(label)) in names}
    # 1 and 5 are stars when both are there; 0 and 1, or 1 to 3, may be anything.
    digits = {label for label in found if label.strip().isdecimal()}
    if digits and {found[label] for label in digits} >= {"1", "5"}:
        return found
    return {label: meaning for label, meaning in found.items() if label not in digits}


def _folded(label: str) -> str:
    whole = verbalizer.folded(label)
    spaced = " ".join(whole.replace("_", " ").replace("-", " ").split())
    return spaced or whole


@cache
def _meanings() -> dict[str, dict[str, str]]:
    return {
        kind: {_folded(name): meaning for meaning, names in by_meaning.items() for name in names}
        for kind, by_meaning in _table("labels").items()
    }


@cache
def _table(name: str) -> dict[str, Any]:
    path = resources.files("supertune.prompts") / "tables" / f"{name}.json"
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded
