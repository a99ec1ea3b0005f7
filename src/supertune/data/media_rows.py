"""Rows of files that may be broken: which are left out, and how a message names the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from supertune.contracts import Columns, Finding
from supertune.data.cells import counted, listed
from supertune.data.table import Table
from supertune.errors import InputError

_SHOWN = 3  # broken files that are named


class Looked(Protocol):
    """What was found out about a file."""

    @property
    def broken(self) -> InputError | None:
        """Why it cannot be read."""
        ...


def whole(
    table: Table,
    column: str,
    look: Callable[[Sequence[Any]], Sequence[Looked]],
    noun: str,
    refused: Collection[str],
) -> tuple[Table, list[Finding]]:
    """The rows without those whose file is broken, and ``broken_<noun>`` about these.

    Args:
        look: at all files that there are.
        refused: codes of faults for which no row is only left out.

    Raises:
        InputError: a fault that is refused; what is wrong with the first, where all are broken.
    """
    held = [i for i, cell in enumerate(table.values[column]) if cell is not None]
    seen = look([table.values[column][i] for i in held])
    faults = {i: one.broken for i, one in zip(held, seen, strict=True) if one.broken is not None}
    for i, fault in faults.items():
        if fault.code in refused or len(faults) == len(held):
            raise in_row(fault, int(table.rows[i]))
    if not faults:
        return table, []
    kept = [i for i in range(len(table)) if i not in faults]
    cells = {name: [values[i] for i in kept] for name, values in table.values.items()}
    named = [str(table.values[column][i]) for i in faults]
    message = (
        f"{counted(len(faults), noun)} of {table.source} cannot be decoded and "
        f"{'is' if len(faults) == 1 else 'are'} left out: {listed(named, _SHOWN)}."
    )
    rows = tuple(int(table.rows[i]) for i in faults)
    left = replace(table, values=cells, rows=np.asarray(table.rows)[kept])
    return left, [Finding(f"broken_{noun}", message, rows)]


def checked(
    table: Table,
    column: str,
    look: Callable[[Sequence[Any]], Sequence[Looked]],
    missing: Callable[[str, str], InputError],
) -> None:
    """A broken file is an error, by its row: nothing can be answered of it, and an answer that is
    left out would shift all others.

    Raises:
        InputError: what is wrong with the first; ``missing`` of an empty cell.
    """
    cells = table.values[column]
    for row, cell in zip(table.rows, cells, strict=True):
        if cell is None:
            raise missing("", f"row {row}, column '{column}': an empty cell")
    for row, seen in zip(table.rows, look(cells), strict=True):
        if seen.broken is not None:
            raise in_row(seen.broken, int(row))


def in_row(error: InputError, row: int) -> InputError:
    """The same error with the row before what was received."""
    said = error.received or ""
    return InputError(
        error.code,
        error.message,
        received=said if said.startswith("row ") else f"row {row}: {said}",
        allowed=error.allowed,
        next=error.next,
    )


def called(table: Table, own: Columns, wanted: Columns, label: str | None) -> Table:
    """The table with its column of files called as the model's, and the label ``label`` as well
    where nobody named it."""
    names = {str(own.medium): str(wanted.medium or own.medium)}
    if label is not None and wanted.label is not None:
        names[label] = wanted.label
    cells: Mapping[str, Any] = table.values
    return replace(table, values={names.get(name, name): held for name, held in cells.items()})
