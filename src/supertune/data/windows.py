"""What every reader agrees on: which names a table may have, and what a cell may be."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from supertune.contracts import Medium
from supertune.data.table import Table
from supertune.errors import InputError

MAX_COLUMNS = 10_000
MAX_CELL = 1_000_000  # characters; a novel has about half as many


def window_of(
    columns: Mapping[str, Sequence[Any]],
    first: int,
    source: str,
    notes: tuple[str, ...] = (),
) -> Table:
    """Columns as a `Table` whose first row has the number ``first``."""
    count = len(next(iter(columns.values()), ()))
    return Table(columns, np.arange(first, first + count), source, notes)


def no_rows(source: str) -> InputError:
    return InputError(
        "no_rows",
        f"{source} has no rows.",
        received="0 rows",
        allowed="at least one row below the header",
        next="Check that this is the right file, and that the rows are below the names.",
    )


def checked_names(names: Sequence[str], source: str) -> None:
    """Raises: InputError ``too_many_columns`` or ``duplicate_column``."""
    if len(names) > MAX_COLUMNS:
        raise too_many_columns(len(names), source)
    seen: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if name in seen:
            raise InputError(
                "duplicate_column",
                f"{source} has two columns called '{shortened(name)}'.",
                received=f"columns {seen[name]} and {place}: '{shortened(name)}'",
                allowed="each name once",
                next="Rename one of them, or remove it if it is a copy.",
            )
        seen[name] = place


def too_many_columns(count: int, source: str) -> InputError:
    return InputError(
        "too_many_columns",
        f"{source} has too many columns.",
        received=f"{count:,} columns",
        allowed=f"at most {MAX_COLUMNS:,}",
        next="Keep the columns with the text and the label; perhaps the file is transposed.",
    )


def cell_too_large(source: str, row: int, column: str | None, length: str) -> InputError:
    where = f"row {row}" if row else "the header"
    if column is not None:
        where += f", column '{shortened(column)}'"
    return InputError(
        "cell_too_large",
        f"{source} has a cell that is too large.",
        received=f"{where}: {length} characters",
        allowed=f"at most {MAX_CELL:,} characters a cell",
        next="Split that document into several rows, or remove the row.",
    )


def named(header: Sequence[str | None], source: str) -> tuple[list[str], tuple[str, ...]]:
    """Column names without blanks around them, and what is said of those made up.

    Raises:
        InputError: as `checked_names`.
    """
    names, notes = [], []
    for place, cell in enumerate(header, 1):
        name = (cell or "").strip()
        if not name:
            name = f"column {place}"
            notes.append(f"Column {place} of {source} has no name; it is called '{name}'.")
        names.append(name)
    checked_names(names, source)
    return names, tuple(notes)


def tidy(column: str, cells: Sequence[Any], first: int | Sequence[int], source: str) -> list[Any]:
    """Cells of one column as a table holds them: None where empty, nested objects as JSON.

    Args:
        first: row number of the first cell, or the numbers of all.

    Raises:
        InputError: ``cell_too_large``, ``broken_character``.
    """
    found: list[Any] = []
    numbers = itertools.count(first) if isinstance(first, int) else first
    for number, cell in zip(numbers, cells):
        if type(cell) is str:
            if len(cell) > MAX_CELL:
                raise cell_too_large(source, number, column, f"{len(cell):,}")
            if not cell.isascii():
                _check_characters(cell, number, column, source)
            found.append(cell or None)
        elif cell is None or type(cell) is int or type(cell) is bool:
            found.append(cell)
        elif type(cell) is float:
            found.append(None if math.isnan(cell) else cell)
        else:
            found.append(_plain(cell))
    return found


def _plain(cell: Any) -> Any:
    """NaN and its kin as None; arrays and NumPy scalars as Python's own; objects as JSON."""
    if _is_medium(cell):
        return cell
    if isinstance(cell, np.ndarray | np.generic):
        cell = cell.tolist()
    if isinstance(cell, dict):
        return json.dumps(cell, ensure_ascii=False, default=str)
    if isinstance(cell, str):  # an enum's member, a subclass
        return str(cell) or None
    if isinstance(cell, list | tuple | set | frozenset | bytes):
        return list(cell) if isinstance(cell, tuple) else cell
    try:
        # NaN and NaT do not equal themselves, and pandas.NA refuses to say.
        return cell if cell == cell else None
    except TypeError:
        return None


def _is_medium(cell: Any) -> bool:
    """What `supertune.data.pictures.cells` makes a picture of, or `supertune.data.sounds.cells` a
    recording, and nobody else reads."""
    if isinstance(cell, np.ndarray):
        return cell.ndim > 1
    if isinstance(cell, dict):
        return set(cell) == {"bytes", "path"} or {"array", "sampling_rate"} <= set(cell)
    return isinstance(cell, Medium) or type(cell).__module__.partition(".")[0] == "PIL"


def _check_characters(cell: str, row: int, column: str, source: str) -> None:
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            "broken_character",
            f"{source} has half a character, which no text can hold.",
            received=f"row {row}, column '{shortened(column)}', character {error.start + 1}: "
            f"{cell[error.start]!r}",
            allowed="whole Unicode characters",
            next="Write the file again from its origin; an emoji was cut in two.",
        ) from None


def shortened(text: str, length: int = 60) -> str:
    """The text on one line, cut for a message."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
