"""Cells of columns of numbers: what they hold, what is missing, and what cannot be read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from supertune.contracts import FloatArray
from supertune.data.cells import as_number, is_empty, shown
from supertune.data.table import Table
from supertune.errors import InputError

_MISSING = frozenset({"na", "n/a", "nan", "null", "none", "-", "?"})
_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})*,\d+|[+-]?\d+,\d+")


def missing(cell: Any) -> bool:
    """Whether a cell is empty or says that its number is not known."""
    return is_empty(cell) or (isinstance(cell, str) and cell.strip().casefold() in _MISSING)


def share(cells: Sequence[Any]) -> float:
    """Share of the cells which are not missing that are finite numbers; 0 without any."""
    held = [cell for cell in cells if not missing(cell)]
    return sum(number(cell) is not None for cell in held) / len(held) if held else 0.0


def with_commas(cells: Sequence[Any]) -> bool:
    """Whether most of the cells which are not missing write decimals with a comma."""
    held = [cell for cell in cells if not missing(cell)]
    found = sum(isinstance(cell, str) and bool(_COMMA.fullmatch(cell.strip())) for cell in held)
    return 2 * found > len(held)


def number(cell: Any) -> float | None:
    """The finite number of a cell."""
    found = as_number(cell)
    return found if found is not None and math.isfinite(found) else None


def read(table: Table, column: str, *, role: str) -> FloatArray:
    """(n,) the numbers of a column, NaN where missing.

    Raises:
        InputError: ``bad_number`` with the row of anything else.
    """
    cells = table.values[column]
    found = np.full(len(table), np.nan)
    for i, cell in enumerate(cells):
        if missing(cell):
            continue
        value = number(cell)
        if value is None:
            raise _bad(table, column, i, role)
        found[i] = value
    return found


def _bad(table: Table, column: str, i: int, role: str) -> InputError:
    cell = table.values[column][i]
    comma = isinstance(cell, str) and _COMMA.fullmatch(cell.strip())
    return InputError(
        "bad_number",
        f"A cell of column '{column}' of {table.source} is no number.",
        received=f"row {table.rows[i]}, column '{column}': {shown(cell)}",
        allowed="numbers such as 12 or -3.5; an empty cell, NA or ? where one is not known",
        next="Write decimals with a point: 1.5."
        if comma
        else "Correct the row, or name another column with --label NAME."
        if role == "target"
        else "Correct the row, or leave the column out: name those to learn from with --column.",
    )
