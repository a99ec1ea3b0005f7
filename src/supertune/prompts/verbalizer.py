"""The verbalizer: which words of a language stand for each label."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence

from supertune.errors import InputError, unknown_name

Words = tuple[tuple[str, ...], ...]
"""For each of C labels its words."""


def check(given: Mapping[str, str | Sequence[str]], labels: Sequence[str]) -> Words:
    """The words of each label, in the order of ``labels``. A word may have any script, and blanks
    inside; a space in front is kept.

    Raises:
        InputError: ``unknown_label``, ``label_without_words``, ``empty_word``,
            ``verbalizer_collides``.
    """
    for label in given:
        if label not in labels:
            raise unknown_name("label", label, labels)
    missing = [label for label in labels if not _listed(given.get(label, ()))]
    if missing:
        raise InputError(
            "label_without_words",
            "The verbalizer has no word for a label.",
            received=f"nothing for {', '.join(missing)}",
            allowed="one word or several for each of " + ", ".join(labels),
            next=f"Add words for '{missing[0]}'.",
        )
    words = tuple(_distinct(label, _listed(given[label])) for label in labels)
    if (found := collision(words)) is not None:
        word, first, second = found
        raise InputError(
            "verbalizer_collides",
            "The verbalizer has the same word for two labels, which could never be told apart.",
            received=f"'{word}' for {labels[first]} and for {labels[second]}",
            allowed="words that differ by more than case, width and blanks around them",
            next=f"Give '{labels[first]}' or '{labels[second]}' another word.",
        )
    return words


def collision(words: Words) -> tuple[str, int, int] | None:
    """A word that two labels share, and the places of both labels."""
    owner: dict[str, int] = {}
    for label, own in enumerate(words):
        for word in own:
            first = owner.setdefault(folded(word), label)
            if first != label:
                return word.strip(), first, label
    return None


def named(labels: Sequence[str]) -> dict[str, str]:
    """Each label's own name as its word."""
    return {label: label.replace("_", " ").strip() for label in labels}


def folded(word: str) -> str:
    """What is the same word to a reader is the same text."""
    return unicodedata.normalize("NFKC", word).casefold().strip()


def parsed(text: str) -> dict[str, str | list[str]]:
    """``'positive=good,great; negative=bad'`` or JSON, as given to ``--verbalizer``.

    Raises:
        InputError: ``bad_verbalizer``.
    """
    if text.lstrip().startswith("{"):
        try:
            loaded = json.loads(text)
        except json.JSONDecodeError as error:
            raise _bad(text, f"it is no JSON: {error.msg} at character {error.colno}") from None
        for label, words in loaded.items():
            if not (isinstance(words, str) or _texts(words)):
                raise _bad(text, f"the words for '{label}' are neither a text nor a list of texts")
        return dict(loaded)
    found: dict[str, str | list[str]] = {}
    for part in filter(str.strip, text.split(";")):
        label, sign, words = part.partition("=")
        if not sign or not label.strip():
            raise _bad(text, f"'{part.strip()}' is not of the form label=word,word")
        if label.strip() in found:
            raise _bad(text, f"'{label.strip()}' is there twice")
        found[label.strip()] = [word.strip() for word in words.split(",")]
    if not found:
        raise _bad(text, "it names no label")
    return found


def _listed(words: str | Sequence[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def _texts(words: object) -> bool:
    return isinstance(words, list) and all(isinstance(word, str) for word in words)


def _distinct(label: str, words: tuple[str, ...]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for word in words:
        if not folded(word):
            raise InputError(
                "empty_word",
                "The verbalizer has an empty word.",
                received=f"{word!r} for {label}",
                allowed="words of at least one character that is no blank",
                next=f"Take the empty word of '{label}' out, or write it.",
            )
        found.setdefault(folded(word), word.rstrip())
    return tuple(found.values())


def _bad(text: str, why: str) -> InputError:
    return InputError(
        "bad_verbalizer",
        f"The verbalizer cannot be read: {why}.",
        received=text,
        allowed="'positive=good,great; negative=bad', or JSON: "
        '\'{"positive": ["good", "great"], "negative": "bad"}\'',
        next="Give each label its words; use JSON where a word has a comma or a semicolon.",
    )
