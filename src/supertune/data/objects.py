"""Lists that a person already has in Python: texts, pairs of text and label, or dicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from supertune.data.json_rows import table_of
from supertune.data.table import Table
from supertune.data.windows import shortened, tidy, window_of
from supertune.errors import InputError

ALLOWED = (
    'a list of texts, of (text, label) pairs, or of dicts {"text": ..., "label": ...}; '
    "a path; a pandas or polars DataFrame; a datasets.Dataset"
)


def windows(
    rows: Sequence[Any], window: int, *, source: str | None = None, notes: Sequence[str] = ()
) -> Iterator[Table]:
    """Windows of a list; what its first row is, all others must be.

    Raises:
        InputError: ``unknown_rows``, ``mixed_rows``, and those of `tidy`.
    """
    kind = _kind(rows[0]) if len(rows) else "text"
    if kind is None:
        _refuse(rows[0])
    source = source or f"a list of {len(rows):,} {kind}{'' if len(rows) == 1 else 's'}"
    names: dict[str, None] = {}
    for start in range(0, max(1, len(rows)), window):
        part = rows[start : start + window]
        _same(part, kind, start + 1, source)
        first = start + 1
        if kind == "dict":
            yield table_of(part, names, first, source, tuple(notes))
            continue
        columns = {"text": part} if kind == "text" else dict(zip(("text", "label"), zip(*part)))
        tidied = {name: tidy(name, cells, first, source) for name, cells in columns.items()}
        yield window_of(tidied, first, source, tuple(notes))


def _kind(row: Any) -> str | None:
    if row is None or isinstance(row, str):
        return "text"
    if isinstance(row, dict):
        return "dict" if all(isinstance(key, str) for key in row) else None
    pair = isinstance(row, tuple | list) and len(row) == 2
    return "pair" if pair and isinstance(row[0], str | None) else None


def _same(rows: Sequence[Any], kind: str, first: int, source: str) -> None:
    for number, row in enumerate(rows, first):
        if _kind(row) != kind:
            raise InputError(
                "mixed_rows",
                f"The rows of {source} are not all of one kind.",
                received=f"row {number}: {_described(row)}",
                allowed=f"a {kind} in each row, as in row 1",
                next="Give each row the same form.",
            )


def _refuse(row: Any) -> NoReturn:
    if isinstance(row, tuple | list) and len(row) > 2:
        step = 'Name the parts: [{"text": ..., "text2": ..., "label": ...}, ...].'
    elif isinstance(row, tuple | list):
        step = "Each pair has a text first and its label second."
    elif isinstance(row, dict):
        step = "Give the dicts' keys, which become column names, as texts."
    else:
        step = "Turn each row into a text or a pair first."
    raise InputError(
        "unknown_rows",
        "A list with such rows is not understood.",
        received=f"row 1: {_described(row)}",
        allowed=ALLOWED,
        next=step,
    )


def _described(row: Any) -> str:
    size = f" of {len(row)}" if isinstance(row, tuple | list | dict) else ""
    return f"{type(row).__name__}{size}: {shortened(repr(row)[:200])}"
