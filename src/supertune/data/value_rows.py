"""Rows with a value each, on their way from a table to `Examples`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import Columns, Examples, Finding, FloatArray, Input, IntArray, fields_of
from supertune.data import joining, number_cells, sides
from supertune.data.cells import counted, listed
from supertune.data.nearest import missing_column
from supertune.data.table import Table
from supertune.errors import InputError

_SHOWN = 3
_LENGTH = 120


@dataclass(frozen=True, eq=False)
class ValueRows:
    """n rows; nothing is dropped yet.

    Attributes:
        inputs: texts, or tuples of numbers, NaN where one is missing.
        values: (n,) targets, NaN where unknown.
        rows: (n,) row numbers in the source.
        named: the group each belongs to, if there are any.
        weights: (n,) as given, or None.
        slices: columns (n,) of strings.
    """

    inputs: tuple[Input, ...]
    values: FloatArray
    rows: IntArray
    named: tuple[str | None, ...] | None
    weights: FloatArray | None
    slices: Mapping[str, npt.NDArray[Any]]

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, index: IntArray | Sequence[int]) -> ValueRows:
        """The rows at ``index``, in that order."""
        chosen = np.asarray(index, dtype=np.int64)
        return ValueRows(
            tuple(self.inputs[i] for i in chosen),
            self.values[chosen],
            self.rows[chosen],
            None if self.named is None else tuple(self.named[i] for i in chosen),
            None if self.weights is None else self.weights[chosen],
            {name: values[chosen] for name, values in self.slices.items()},
        )

    def examples(self, columns: Columns) -> Examples:
        """Groups are not set, weights have mean 1."""
        weights = None if self.weights is None else sides.normalised(self.weights)
        assert columns.label is not None
        return Examples(
            self.inputs,
            self.values,
            (columns.label,),
            self.rows,
            None,
            weights,
            dict(self.slices),
            columns.numbers,
        )


def read(table: Table, columns: Columns) -> ValueRows:
    """All rows of a table whose columns are settled.

    Raises:
        InputError: ``bad_number``, ``bad_weight``, ``bad_text``.
    """
    assert columns.label is not None
    return ValueRows(
        inputs(table, columns),
        number_cells.read(table, columns.label, role="target"),
        table.rows,
        None if columns.group is None else sides.groups(table, columns.group),
        None if columns.weight is None else sides.weights(table, columns.weight),
        sides.slices(table, columns.slices),
    )


def inputs(table: Table, columns: Columns) -> tuple[Input, ...]:
    """What is read of each row: a text, or its numbers."""
    if not columns.numbers:
        return joining.inputs(table, columns)
    cells = [number_cells.read(table, name, role="number") for name in columns.numbers]
    return tuple(zip(*(column.tolist() for column in cells), strict=True))


def complete(rows: ValueRows, columns: Columns, source: str) -> tuple[ValueRows, list[Finding]]:
    """Rows with something to read; of numbers, those that lack none.

    A number that is not known is not made up: its row is left out, and that is said.

    Raises:
        InputError: ``mostly_incomplete`` when more than half would be lost, ``no_texts``.
    """
    lacking = np.array([_lacks(value) for value in rows.inputs], dtype=bool)
    if not lacking.any():
        return rows, []
    count = int(lacking.sum())
    numbers = tuple(int(row) for row in rows.rows[lacking])
    if not columns.numbers:
        if lacking.all():
            raise InputError(
                "no_texts",
                f"The text is empty in all rows of {source}.",
                received=counted(count, "empty text"),
                allowed="texts",
                next="Name another column with --text NAME.",
            )
        message = f"{counted(count, 'row')} of {source} without a text left out."
        return rows.take(np.flatnonzero(~lacking)), [Finding("empty_text", message, numbers)]
    gaps = np.isnan(np.array(rows.inputs, dtype=np.float64)).sum(axis=0)
    where = [f"'{name}' ({gap:,})" for name, gap in zip(columns.numbers, gaps.tolist()) if gap]
    if 2 * count > len(rows):
        raise InputError(
            "mostly_incomplete",
            f"More than half of the rows of {source} lack a number.",
            received=f"{count:,} of {counted(len(rows), 'row')}; empty cells in {listed(where, 8)}",
            allowed="numbers in most rows; rows that lack one are left out",
            next="Leave out columns that are often empty: name the others with --column NAME.",
        )
    message = (
        f"{counted(count, 'row')} of {source} lack a number and are left out, since none is made "
        f"up: {listed(where, 8)}."
    )
    return rows.take(np.flatnonzero(~lacking)), [Finding("missing_number", message, numbers)]


def _lacks(value: Input) -> bool:
    if isinstance(value, tuple) and value and isinstance(value[0], float):
        return any(number != number for number in value)  # NaN alone differs from itself
    return joining.is_blank(value)


def answerable(table: Table, columns: Columns) -> tuple[Input, ...]:
    """The numbers of rows that are to be answered, every one of them.

    Raises:
        InputError: ``number_column_missing``; ``missing_number`` with the first cell that lacks
            one.
    """
    check_numbers(table, columns)
    found = inputs(table, columns)
    for row, value in zip(table.rows, found, strict=True):
        if _lacks(value):
            gap = next(
                n for n, cell in zip(columns.numbers, fields_of(value), strict=True) if cell != cell
            )
            raise InputError(
                "missing_number",
                f"A row of {table.source} lacks a number, and none is made up.",
                received=f"row {row}, column '{gap}': empty",
                allowed=f"numbers in {listed(columns.numbers, 12)}",
                next="Fill the cell in, or leave the row out.",
            )
    return found


def check_numbers(table: Table, columns: Columns) -> None:
    """Refuse a table that lacks a column of numbers."""
    for name in columns.numbers:
        if name not in table.values:
            raise missing_column(table, name, "number", next_step="a column of that name")


def informative(rows: ValueRows, columns: Columns) -> tuple[Columns, list[Finding]]:
    """Columns that can tell rows apart: neither constant nor a copy of one before.

    Raises:
        InputError: ``nothing_varies`` when none is left.
    """
    if not columns.numbers:
        return columns, []
    table = np.array(rows.inputs, dtype=np.float64)
    constant, copies, kept = [], [], dict[bytes, str]()
    for place, name in enumerate(columns.numbers):
        cells = table[:, place] + 0.0  # -0.0 is 0.0
        if (cells == cells[0]).all():
            constant.append(name)
        elif (key := cells.tobytes()) in kept:
            copies.append(f"{name} (as {kept[key]})")
        else:
            kept[key] = name
    if not kept:
        raise InputError(
            "nothing_varies",
            "Every column to learn from holds one number in all rows.",
            received=listed(constant, 12),
            allowed="columns whose numbers differ",
            next="Name other columns with --column NAME.",
        )
    findings = []
    if constant:
        message = f"Left out, with the same number in every row: {listed(constant, 12)}."
        findings.append(Finding("constant_column", message))
    if copies:
        message = f"Left out, with the same numbers as another: {listed(copies, 12)}."
        findings.append(Finding("same_column", message))
    return replace(columns, numbers=tuple(kept.values())), findings


def narrowed(rows: ValueRows, before: Columns, after: Columns) -> ValueRows:
    """The same rows, with the numbers of fewer columns."""
    if before.numbers == after.numbers:
        return rows
    places = [before.numbers.index(name) for name in after.numbers]
    kept = np.array(rows.inputs, dtype=np.float64)[:, places]
    return replace(rows, inputs=tuple(map(tuple, kept.tolist())))


def samples(rows: ValueRows, columns: Columns) -> tuple[dict[str, str], ...]:
    """The first rows, as proof of the columns."""
    found = []
    for value, target in list(zip(rows.inputs, rows.values.tolist()))[:_SHOWN]:
        if columns.numbers:
            cells = {name: f"{cell:g}" for name, cell in zip(columns.numbers[:6], fields_of(value))}
        else:
            text = " ".join(joining.as_one(value)[: 4 * _LENGTH].split())
            cells = {"text": text if len(text) <= _LENGTH else text[: _LENGTH - 1] + "…"}
        found.append({**cells, str(columns.label): f"{target:g}"})
    return tuple(found)
