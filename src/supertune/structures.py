"""What answers may look like: a JSON schema, a list of choices, or what given answers have in
common; and whether a text is such an answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from supertune.errors import InputError

REPEATED = 3  # times that a value comes on average, so that no others are expected
MANY = 50  # values, of which more are no list of choices
ROOM = 2  # times the longest text and the longest list that were seen
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def checked(structure: Any, answers: Sequence[str] = ()) -> Any:
    """A structure as it constrains what is written: None, a tuple of choices, or a schema.

    Args:
        answers: those that ``"answers"`` speaks of.

    Raises:
        InputError: ``bad_structure``, ``no_structure``, ``no_choices``, ``choice_twice``.
    """
    if structure is None:
        return None
    if isinstance(structure, str):
        return _named(structure, answers)
    if isinstance(structure, Mapping):
        if not structure or not {"type", "properties", "enum", "anyOf", "$ref"} & set(structure):
            raise _bad(structure)
        return dict(structure)
    if not isinstance(structure, list | tuple):
        raise _bad(structure)
    choices = tuple(structure)
    if not choices or not all(isinstance(one, str) and one.strip() for one in choices):
        raise InputError(
            "no_choices",
            "A list of choices holds no text.",
            received=repr(structure)[:200],
            allowed="one text or more, none of them empty",
            next='For example structure=["yes", "no"].',
        )
    twice = [one for one, times in Counter(choices).items() if times > 1]
    if twice:
        raise InputError(
            "choice_twice",
            "A choice is named twice.",
            received=", ".join(map(repr, twice))[:200],
            allowed="each choice once",
            next="Leave one of them out.",
        )
    return choices


def _named(name: str, answers: Sequence[str]) -> Any:
    if name != "answers":
        raise _bad(name)
    found = of_answers(answers)
    if found is None:
        raise InputError(
            "no_structure",
            "The answers have no structure in common.",
            received=repr(answers[0])[:120] if answers else "no answers",
            allowed="JSON objects, or the same few answers again and again",
            next="Leave structure out, or give a JSON schema or a list of choices.",
        )
    return found


def _bad(structure: Any) -> InputError:
    return InputError(
        "bad_structure",
        "This is no structure of answers.",
        received=repr(structure)[:200],
        allowed="'answers', a list of choices, or a JSON schema with a type or properties",
        next='For example {"type": "object", "properties": {"topic": {"type": "string"}}}.',
    )


def json_of(text: str) -> Any:
    """What a text says as JSON; None where it says nothing."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def object_of(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is."""
    found = json_of(text)
    return found if isinstance(found, dict) else None


def of_answers(answers: Sequence[str]) -> Any:
    """A schema of objects, or the choices that all answers are among; None for free texts."""
    objects = [object_of(text) for text in answers]
    if answers and all(one is not None for one in objects):
        return schema_of(objects)
    choices = tuple(dict.fromkeys(answers))
    few = len(choices) <= MANY and len(answers) >= REPEATED * len(choices)
    return choices if few and choices else None


def schema_of(values: Sequence[Any]) -> dict[str, Any]:
    """The narrowest simple schema of all values: few texts that come again and again are all there
    are, others and lists may be somewhat longer than those seen."""
    kinds = list(dict.fromkeys(type(one) for one in values))
    if kinds == [dict]:
        names = dict.fromkeys(name for one in values for name in one)
        return {
            "type": "object",
            "properties": {
                name: schema_of([one[name] for one in values if name in one]) for name in names
            },
            "required": [name for name in names if all(name in one for one in values)],
            "additionalProperties": False,
        }
    if kinds == [list]:
        inner = [part for one in values for part in one]
        most = max(map(len, values)) * ROOM
        return {"type": "array", "items": schema_of(inner) if inner else {}, "maxItems": most}
    if kinds == [str]:
        distinct = sorted(set(values))
        if len(distinct) <= MANY and len(values) >= REPEATED * len(distinct):
            return {"enum": distinct}
        return {"type": "string", "maxLength": max(8, ROOM * max(map(len, distinct)))}
    if all(kind in _TYPES for kind in kinds):
        return {"type": [_TYPES[kind] for kind in kinds]} if len(kinds) > 1 else {
            "type": _TYPES[kinds[0]]
        }  # fmt: skip
    return {}
