"""JSON: an object a line, or an array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from supertune.data.delimited import empty_file
from supertune.data.encoding import LongLineError
from supertune.data.table import Table
from supertune.data.windows import (
    MAX_COLUMNS,
    cell_too_large,
    shortened,
    tidy,
    too_many_columns,
    window_of,
)
from supertune.errors import InputError


def windows(
    lines: Iterable[str], source: str, window: int, *, notes: Sequence[str]
) -> Iterator[Table]:
    """An object a line; blank lines are not rows. A key seen once stays a column from then on.

    Raises:
        InputError: ``empty_file``, ``broken_json``, ``not_an_object``, ``duplicate_column``,
            ``cell_too_large``, ``too_many_columns``.
    """
    names: dict[str, None] = {}
    first = 1
    rows = _objects(lines, source)
    while batch := list(islice(rows, window)):
        yield table_of(batch, names, first, source, tuple(notes))
        first += len(batch)
    if first == 1:
        raise empty_file(source)


def table_of(
    rows: Sequence[Mapping[str, Any]],
    names: dict[str, None],
    first: int,
    source: str,
    notes: tuple[str, ...] = (),
) -> Table:
    """Rows with keys of their own as columns; ``names``, those seen so far, is extended."""
    for row in rows:
        names.update(dict.fromkeys(row))
        if len(names) > MAX_COLUMNS:
            raise too_many_columns(len(names), source)
    columns = {name: tidy(name, [row.get(name) for row in rows], first, source) for name in names}
    return window_of(columns, first, source, notes)


def parsed(text: str, source: str) -> list[Any]:
    """The rows of a whole JSON text: an array, or an object with an array under "data".

    Raises:
        InputError: ``empty_file``, ``broken_json``, ``not_rows``.
    """
    if not text.strip():
        raise empty_file(source)
    value = _decode(text, source, None, 1)
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = value["data"]
    if not isinstance(value, list):
        keys = f" with the keys {', '.join(list(value)[:5])}" if isinstance(value, dict) else ""
        raise InputError(
            "not_rows",
            f"{source} is JSON, but not a list of rows.",
            received=shortened(f"{_kind(value)}{keys}"),
            allowed='[{"text": ..., "label": ...}, ...], or {"data": [...]}',
            next="Write one object a row; a pandas frame does so with "
            'to_json(path, orient="records").',
        )
    return value


def is_lines(text: str) -> bool:
    """Whether a text called JSON is an object a line after all, which many tools write."""
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{") or not rest.lstrip().startswith("{"):
        return False
    try:
        _DECODER.decode(first)
    except (ValueError, RecursionError):
        return False
    return True


def _objects(lines: Iterable[str], source: str) -> Iterator[dict[str, Any]]:
    row, number = 0, 0
    try:
        for number, line in enumerate(lines, 1):
            if line.isspace():
                continue
            row += 1
            yield _object(line, number, row, source)
    except LongLineError as long:
        size = f"more than {len(long.start):,}"
        raise cell_too_large(source, row + 1, None, size) from None


def _object(line: str, number: int, row: int, source: str) -> dict[str, Any]:
    value = _decode(line, source, row, number)
    if not isinstance(value, dict):
        raise InputError(
            "not_an_object",
            f"{source} has a line that is not an object.",
            received=f"row {row} (line {number}): {_kind(value)}: {shortened(line)}",
            allowed='{"text": "...", "label": "..."} on each line',
            next="Write one object a line, or name the file .json if it is one array.",
        )
    return value


class _RepeatedKeyError(ValueError):
    """An object names a key twice, of which json would silently keep the last."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedKeyError(next(key for key in keys if keys.count(key) > 1))
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def _decode(text: str, source: str, row: int | None, line: int) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = _missing_at(text, error.pos)
        at = line + text.count("\n", 0, place)
        column = place - text.rfind("\n", 0, place)
        raise _broken(source, f"line {at}, column {column}: {error.msg}") from None
    except _RepeatedKeyError as error:
        raise InputError(
            "duplicate_column",
            f"{source} has an object that names a key twice.",
            received=f"{'' if row is None else f'row {row}, '}key '{shortened(str(error))}'",
            allowed="each key once in an object",
            next="Rename one of them, or remove it.",
        ) from None
    except RecursionError:
        raise _broken(source, f"line {line}: nested too deeply") from None
    except ValueError as error:  # a number with thousands of digits
        raise _broken(source, f"line {line}: {shortened(str(error), 100)}") from None


def _missing_at(text: str, place: int) -> int:
    """Where something is missing: json looks for it behind the line's end, up to what follows."""
    if text[place : place + 1] in ("", ",", "}", "]"):
        return len(text[:place].rstrip())
    return place


def _broken(source: str, received: str) -> InputError:
    return InputError(
        "broken_json",
        f"{source} is not valid JSON.",
        received=received,
        allowed='one object a line in .jsonl, [{"text": ..., "label": ...}, ...] in .json',
        next="Correct that line; a file cut short while it was written ends like this, too.",
    )


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return kinds.get(type(value), "null" if value is None else "a number")
