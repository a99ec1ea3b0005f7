"""Columns beside text and label: which side a row is on, what it belongs to, what it counts.

Shapes: n rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from supertune.contracts import Finding, FloatArray
from supertune.data.cells import as_label, as_number, as_time, counted, is_empty, listed, shown
from supertune.data.table import Table
from supertune.errors import InputError

Side = Literal["train", "valid", "test"]

SPLIT_VALUES: Mapping[str, Side] = MappingProxyType(
    {
        **dict.fromkeys(("train", "training", "learn", "fit", "训练", "训练集"), "train"),
        **dict.fromkeys(("valid", "validation", "val", "dev", "development", "验证集"), "valid"),
        **dict.fromkeys(("test", "testing", "eval", "held-out", "holdout", "测试集"), "test"),
    }
)
"""What a split column may say, in any case."""


def sides(table: Table, column: str) -> tuple[Side, ...]:
    """On which side each row is.

    Raises:
        InputError: ``bad_split`` for any other value, or an empty cell.
    """
    found: list[Side] = []
    odd: dict[str, int] = {}
    for row, cell in zip(table.rows, table.values[column], strict=True):
        side = None if is_empty(cell) else SPLIT_VALUES.get(as_label(cell).casefold())
        if side is None:
            odd.setdefault("(empty)" if is_empty(cell) else shown(as_label(cell), 40), int(row))
        else:
            found.append(side)
    if odd:
        where = [f"{value} in row {row}" for value, row in odd.items()]
        raise InputError(
            "bad_split",
            f"Column '{column}' of {table.source} holds values that name no side.",
            received=listed(where),
            allowed=", ".join(value for value in SPLIT_VALUES if value.isascii()),
            next="Correct these rows, or leave --split out.",
        )
    return tuple(found)


def groups(table: Table, column: str) -> tuple[str | None, ...]:
    """What each row belongs to; None where the cell is empty: the row stands for itself."""
    return tuple(None if is_empty(cell) else as_label(cell) for cell in table.values[column])


def weights(table: Table, column: str) -> FloatArray:
    """(n,) what each row counts, as given.

    Raises:
        InputError: ``bad_weight`` with the row of anything but a positive number.
    """
    found = np.ones(len(table))
    for i, cell in enumerate(table.values[column]):
        number = None if is_empty(cell) else as_number(cell)
        if number is None or not math.isfinite(number) or number <= 0:
            value = "an empty cell" if is_empty(cell) else shown(cell)
            raise InputError(
                "bad_weight",
                f"A weight in column '{column}' of {table.source} is not a positive number.",
                received=f"row {table.rows[i]}, column '{column}': {value}",
                allowed="positive numbers",
                next="Correct the row; leave a row out instead of giving it weight 0.",
            )
        found[i] = number
    return found


def normalised(given: FloatArray) -> FloatArray:
    """Weights (n,) with mean 1; the sum is exact, so that the rows' order cannot matter."""
    return np.asarray(given * (len(given) / math.fsum(given)))


def slices(table: Table, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """The named columns as (n,) arrays of strings; an empty cell is ``"(empty)"``."""
    found = {}
    for name in names:
        values = np.empty(len(table), dtype=object)
        values[:] = ["(empty)" if is_empty(cell) else as_label(cell) for cell in table.values[name]]
        found[name] = values
    return found


def moments(table: Table, column: str) -> list[Any]:
    """(n,) when each row was, as values that can be compared; None where the cell is empty.

    Raises:
        InputError: ``bad_time`` with the row of what is no moment; ``mixed_times``.
    """
    cells = table.values[column]
    numbers = [as_number(cell) for cell in cells]
    empty = [is_empty(cell) for cell in cells]
    numeric = all(void or number is not None for void, number in zip(empty, numbers, strict=True))
    keys: list[Any] = list(numbers) if numeric else [as_time(cell) for cell in cells]
    for i, key in enumerate(keys):
        if empty[i]:
            keys[i] = None
        elif key is None:
            raise _bad_time(table, column, i)
    held = [i for i, key in enumerate(keys) if key is not None]
    if len({getattr(keys[i], "tzinfo", None) is None for i in held}) > 1:
        raise InputError(
            "mixed_times",
            f"Column '{column}' of {table.source} holds times with and without a zone.",
            received=f"row {table.rows[held[0]]}: {shown(cells[held[0]])}, and others unlike it",
            allowed="all with a zone, or none",
            next="Write all times alike.",
        )
    return keys


def time_range(table: Table, column: str) -> Finding:
    """From when to when the rows are.

    Raises:
        InputError: as `moments`.
    """
    cells, keys = table.values[column], moments(table, column)
    held = [i for i, key in enumerate(keys) if key is not None]
    if not held:
        return Finding("time_empty", f"Column '{column}' holds no times.")
    first, last = min(held, key=lambda i: keys[i]), max(held, key=lambda i: keys[i])
    message = f"Times in '{column}' run from {as_label(cells[first])} to {as_label(cells[last])}"
    missing = len(cells) - len(held)
    message += f"; {counted(missing, 'row')} without one" if missing else ""
    return Finding("time_range", f"{message}.", severity="info")


def _bad_time(table: Table, column: str, i: int) -> InputError:
    return InputError(
        "bad_time",
        f"A cell of column '{column}' of {table.source} is not a time.",
        received=f"row {table.rows[i]}, column '{column}': {shown(table.values[column][i])}",
        allowed="2024-05-31, 2024-05-31T09:30, or numbers throughout",
        next="Correct the row, or leave --time out.",
    )
