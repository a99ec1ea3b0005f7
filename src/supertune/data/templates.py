"""Texts with names in braces: ``'{title}. {body}'`` joins columns, ``'{text} It was {answer}.'``
asks for an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from supertune.errors import InputError

ANSWER = "answer"
"""The name that stands for the answer and never for a column."""

_NUMBERED = re.compile(r"text[1-9][0-9]?")


@dataclass(frozen=True)
class Part:
    """A literal text, and the name in braces behind it, if any, with its place (from 1)."""

    literal: str
    name: str | None = None
    place: int = 0


def parts(template: str) -> tuple[Part, ...]:
    """The template taken apart; a name is taken as it stands, ``{{`` and ``}}`` are braces.

    Raises:
        InputError: ``bad_template`` with the place of the brace.
    """
    found: list[Part] = []
    literal, at = "", 0
    while at < len(template):
        char = template[at]
        if template[at : at + 2] in ("{{", "}}"):
            literal += char
            at += 2
        elif char == "{":
            name = _name(template, at)
            found.append(Part(literal, name, at + 1))
            literal, at = "", at + len(name) + 2
        elif char == "}":
            raise _bad(template, at, "it closes a brace that is not open")
        else:
            literal += char
            at += 1
    return (*found, Part(literal)) if literal else tuple(found)


def fields(template: str) -> tuple[str, ...]:
    """The columns that a template names, each once, in order; the answer is none.

    Raises:
        InputError: ``bad_template``.
    """
    names = dict.fromkeys(part.name for part in parts(template))
    return tuple(name for name in names if name is not None and name != ANSWER)


def asks(template: str | None) -> bool:
    """Whether a template has a place for the answer, and so is a prompt.

    Raises:
        InputError: ``bad_template``.
    """
    return template is not None and any(part.name == ANSWER for part in parts(template))


def ordered(template: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of a prompt in the order of a row's texts: those ``given``, then the others
    that the template names. ``text`` or ``text1``, ``text2`` ... stand for columns by place."""
    named = fields(template)
    if by_place(template) and not set(named) <= set(given):
        return given or tuple(sorted(named, key=_place))
    return (*given, *(name for name in named if name not in given))


def by_place(template: str) -> bool:
    """Whether all names may stand for columns by their place, as ``text`` and ``text2`` do."""
    return all(name == "text" or _NUMBERED.fullmatch(name) for name in fields(template))


def shows_one(template: str) -> bool:
    """Whether a prompt shows one text, whichever and however many columns that is made of."""
    return fields(template) in ((), ("text",))


def escaped(literal: str) -> str:
    """A text as it has to be written in a template."""
    return literal.replace("{", "{{").replace("}", "}}")


def _place(name: str) -> int:
    return int(name[4:] or 0)


def _name(template: str, at: int) -> str:
    end = template.find("}", at)
    if end < 0:
        raise _bad(template, at, "it opens a brace that is never closed")
    name = template[at + 1 : end]
    if "{" in name:
        raise _bad(template, at, "it opens a brace inside a brace")
    if not name.strip() or "!" in name or ":" in name:
        raise _bad(template, at, "each pair of braces holds one name and nothing else")
    return name


def _bad(template: str, at: int, why: str) -> InputError:
    return InputError(
        "bad_template",
        f"The template cannot be used: {why}.",
        received=f"character {at + 1} of {template!r}",
        allowed="'{title}. {body}' to join columns, '{text} It was {answer}.' to ask; "
        "{{ and }} for braces themselves",
        next="Put one name into each pair of single braces, or write the brace twice.",
    )
