"""The first sheet with rows of an .xlsx workbook."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from supertune.data import files
from supertune.data.parquet import extra_missing
from supertune.data.table import Table
from supertune.data.windows import named, no_rows, shortened, tidy, window_of
from supertune.errors import InputError

_Answer = TypeVar("_Answer")
_Row = tuple[int, tuple[Any, ...]]  # its number, the header's being 0, and its cells
_Notes = tuple[str, ...]


def windows(path: Path, window: int) -> Iterator[Table]:
    """Windows of the first sheet that has any cell; formulas as their last computed values.

    Row numbers are those of the sheet, less its header's: blank rows are left out but counted.

    Raises:
        InputError: ``file_unreadable``, ``no_rows``, ``ragged_row``, ``duplicate_column``,
            ``too_many_columns``, and those of `tidy`.
        EnvironmentFault: ``extra_missing``, ``permission_denied``.
    """
    try:
        import openpyxl
    except ImportError:
        raise extra_missing(".xlsx", "openpyxl") from None
    load = partial(openpyxl.load_workbook, read_only=True, data_only=True)
    try:
        with path.open("rb") as stream:
            yield from _windows(lambda: load(stream), path.name, window)
    except PermissionError:
        raise files.denied(path) from None


def _windows(opened: Callable[[], Any], source: str, window: int) -> Iterator[Table]:
    book = _quiet(opened, source)
    try:
        sheet, header, rows = _quiet(lambda: _first_with_rows(book), source)
        if sheet is None:
            raise no_rows(source)
        several = len(book.worksheets) > 1
        notes: _Notes = (f"Of {source}, the sheet '{sheet}' was read.",) if several else ()
        names, unnamed = named([None if cell is None else str(cell) for cell in header], source)
        notes += unnamed
        count = 0
        while batch := _quiet(lambda: list(islice(rows, window)), source):
            yield _table(batch, names, source, notes)
            count += len(batch)
        if not count:
            yield window_of({name: [] for name in names}, 1, source, notes)
    finally:
        book.close()


def _first_with_rows(book: Any) -> tuple[str | None, tuple[Any, ...], Iterator[_Row]]:
    """The sheet's name, its header, and its other rows that have a cell."""
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # what a file says of its own size is often wrong
        rows = _filled(enumerate(sheet.iter_rows(values_only=True)))
        first = next(rows, None)
        if first is not None:
            start, header = first
            return sheet.title, header, ((number - start, row) for number, row in rows)
    return None, (), iter(())


def _filled(rows: Iterable[tuple[int, Sequence[Any]]]) -> Iterator[_Row]:
    for number, row in rows:
        last = max((at for at, cell in enumerate(row, 1) if cell not in (None, "")), default=0)
        if last:
            yield number, tuple(row[:last])


def _table(batch: Sequence[_Row], names: Sequence[str], source: str, notes: _Notes) -> Table:
    for number, row in batch:
        if len(row) > len(names):
            raise InputError(
                "ragged_row",
                f"{source} has a row with {len(row)} cells under {len(names)} names.",
                received=f"row {number} (line {number + 1} of the sheet if its names are on "
                f"line 1): {shortened(str(row[len(names)]))}",
                allowed=f"{len(names)} cells: {shortened(', '.join(names), 200)}",
                next="Name that column, or clear its cells.",
            )
    numbers = [number for number, _ in batch]
    columns = {
        name: tidy(name, [row[at] if at < len(row) else None for _, row in batch], numbers, source)
        for at, name in enumerate(names)
    }
    return Table(columns, np.asarray(numbers, dtype=np.int64), source, notes)


def _quiet(step: Callable[[], _Answer], source: str) -> _Answer:
    """One step inside openpyxl, whose remarks on styles and extensions are of no use here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return step()
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged workbook fails in any way XML and zip can
        raise files.unreadable(source, "xlsx", error) from None
