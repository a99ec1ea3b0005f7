"""Rows of requests with answers: two columns, instructions with inputs, or conversations.

Conversations are OpenAI's: a column ``messages``, each with ``role`` and ``content``. Every word of
the assistant is an answer to what stands before it, so that a conversation of several turns is
several rows; these stay on one side of every split.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from supertune.contracts import Examples, Finding
from supertune.contracts.completion import COMPLETION, ROLES, said
from supertune.data.cells import counted, is_empty, listed, shown
from supertune.data.pairs.reading import Kind
from supertune.data.table import Table
from supertune.errors import InputError
from supertune.structures import object_of

MESSAGES = ("messages", "conversation", "conversations")
INSTRUCTION = "instruction"
INPUT, OUTPUT, CONVERSATION = "input", "output", "conversation"
SOURCES = ("input", "prompt", "question", "request", "source", "text", "document", INSTRUCTION)
TARGETS = ("output", "completion", "answer", "response", "target", "label", "summary", "title")


def arranged(table: Table) -> Table:
    """Conversations and instructions as the columns ``input`` and ``output``.

    Raises:
        InputError: see `_turns` and `_instructed`.
    """
    there = {name.casefold(): name for name in table.names}
    name = next((there[one] for one in MESSAGES if one in there), None)
    if name is not None and any(not isinstance(_parsed(one), str) for one in table.values[name]):
        return _conversations(table, name)
    if INSTRUCTION in there and INPUT in there:
        return _instructed(table, there[INSTRUCTION], there[INPUT])
    return table


def _instructed(table: Table, first: str, second: str) -> Table:
    """An instruction with the input that it is about, where there is one."""
    made: list[str | None] = []
    for row, (what, about) in enumerate(zip(table.values[first], table.values[second])):
        if is_empty(what) and is_empty(about):
            made.append(None)
            continue
        for cell in (what, about):
            if not is_empty(cell) and not isinstance(cell, str):
                raise _wrong("bad_text", "A text is none.", int(table.rows[row]), shown(cell))
        parts = [str(one) for one in (what, about) if not is_empty(one)]
        made.append("\n\n".join(parts))
    others = {key: cells for key, cells in table.values.items() if key not in (first, second)}
    return replace(table, values={INPUT: made, **others})


def _conversations(table: Table, name: str) -> Table:
    others = [key for key in table.names if key != name]
    asked: list[str | None] = []
    answers: list[str | None] = []
    places: list[int] = []
    for place, (cell, row) in enumerate(zip(table.values[name], table.rows, strict=True)):
        turns = _turns(cell, int(row))
        ends = [i for i, (role, _) in enumerate(turns) if role == "assistant"]
        if not ends:  # to be answered
            asked, answers, places = [*asked, said(turns)], [*answers, None], [*places, place]
        for end in ends:
            asked.append(said(turns[:end]))
            answers.append(turns[end][1])
            places.append(place)
    several = len(places) > len(table)
    cells: dict[str, Sequence[Any]] = {
        key: [table.values[key][i] for i in places] for key in others
    }
    rows = np.asarray(table.rows)[places]
    notes = table.notes
    if several:
        cells[CONVERSATION] = [f"row {row}" for row in rows.tolist()]
        rows = np.arange(1, len(places) + 1) + (int(table.rows[0]) - 1)
        notes = (*notes, "rows are the answers of the assistant, in their order")
    return Table({INPUT: asked, OUTPUT: answers, **cells}, rows, table.source, notes)


def _parsed(cell: Any) -> Any:
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            return json.loads(cell)
        except ValueError:
            return cell
    return cell


def _turns(cell: Any, row: int) -> tuple[tuple[str, str], ...]:
    """A conversation, checked.

    Raises:
        InputError: ``messages_not_a_list``, ``no_messages``, ``message_not_an_object``,
            ``unknown_role``, ``message_without_text``, ``system_not_first``, ``nothing_asked``.
    """
    given = _parsed(cell)
    if hasattr(given, "tolist"):  # of parquet
        given = given.tolist()
    if not isinstance(given, list):
        raise _wrong("messages_not_a_list", "A conversation is no list.", row, shown(cell))
    if not given:
        raise _wrong("no_messages", "A conversation holds no message.", row, "an empty list")
    turns = tuple(_turn(one, row, number) for number, one in enumerate(given, 1))
    if any(role == "system" for role, _ in turns[1:]):
        raise _wrong(
            "system_not_first", "What the system says stands first, once.", row,
            " ".join(role for role, _ in turns)[:120],
        )  # fmt: skip
    first = next((role for role, _ in turns if role != "system"), None)
    if first != "user":
        raise _wrong(
            "nothing_asked", "A conversation begins without the user.", row,
            " ".join(role for role, _ in turns)[:120],
        )  # fmt: skip
    return turns


def _turn(one: Any, row: int, number: int) -> tuple[str, str]:
    what = f"message {number}: {shown(one)}"
    if not isinstance(one, Mapping):
        raise _wrong("message_not_an_object", "A message is no object.", row, what)
    role = one.get("role", one.get("from"))
    role = {"human": "user", "gpt": "assistant", "developer": "system"}.get(str(role), role)
    if role not in ROLES:
        raise _wrong("unknown_role", "A message is of nobody known.", row, what)
    content = one.get("content", one.get("value"))
    if isinstance(content, list):  # parts of a message
        kinds = [part.get("type") if isinstance(part, Mapping) else None for part in content]
        if any(kind != "text" for kind in kinds):
            raise _wrong("message_without_text", "A message holds more than text.", row, what)
        content = "".join(str(part.get("text", "")) for part in content)
    if not isinstance(content, str) or not content.strip():
        raise _wrong("message_without_text", "A message holds no text.", row, what)
    return str(role), content.replace("\0", " ")


def _wrong(code: str, message: str, row: int, received: str) -> InputError:
    return InputError(
        code,
        message,
        received=f"row {row}: {received}",
        allowed='[{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}], '
        "before them one of the system at most",
        next="Correct the row or leave it out.",
    )


def about(examples: Examples) -> list[Finding]:
    """``several_answers``, ``broken_json``, ``other_fields``, ``answer_is_request``."""
    assert examples.targets is not None
    requests = [str(text) for text in examples.inputs]
    answers = [str(text) for text in examples.targets]
    ways: dict[str, set[str]] = {}
    for request, answer in zip(requests, answers, strict=True):
        ways.setdefault(request, set()).add(answer)
    objects = [object_of(text) for text in answers]
    meant = sum(one is not None for one in objects) >= max(1, 0.8 * len(objects))
    keys = Counter(tuple(one) for one in objects if one is not None)
    usual = set(keys.most_common(1)[0][0]) if keys else set()
    found = (
        ("several_answers", "with a request that is answered in several ways",
         [i for i, one in enumerate(requests) if len(ways[one]) > 1]),
        ("broken_json", "with an answer that is no JSON object, as the others are",
         [i for i, one in enumerate(objects) if meant and one is None]),
        ("other_fields", f"with other fields than {listed(sorted(usual))}",
         [i for i, one in enumerate(objects) if meant and one is not None and set(one) != usual]),
        ("answer_is_request", "with an answer that repeats its request",
         [i for i, (a, b) in enumerate(zip(requests, answers)) if a.strip() == b.strip()]),
    )  # fmt: skip
    return [
        Finding(
            code,
            f"{counted(len(index), 'row')} {what}; look at them, they are learned from as well.",
            tuple(int(examples.rows[i]) for i in index),
        )
        for code, what, index in found
        if index
    ]


REQUESTS = Kind(
    COMPLETION,
    SOURCES,
    TARGETS,
    ("requests", "answers"),
    lambda _: None,
    arranged,
    about,
    (CONVERSATION, "page", "document", "doc", "file"),
)
