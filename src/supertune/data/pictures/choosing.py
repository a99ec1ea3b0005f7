"""Which column holds the pictures: as the person says, otherwise found with the proof beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from supertune.data import column_names
from supertune.data.cells import counted, is_empty, listed
from supertune.data.nearest import missing_column
from supertune.data.pictures import cells, formats
from supertune.data.table import Table
from supertune.errors import InputError

_SHARE = 0.9  # of the cells must be called like pictures
_LOOKED_AT = 200  # cells


def column(table: Table, folder: Path | None, named: str | None = None) -> str:
    """The name of the column.

    Raises:
        InputError: ``picture_column_missing``, ``ambiguous_columns``, ``no_picture_column``.
    """
    if named is not None and named in table.values:
        return named
    there = candidates(table, folder)
    # A list, a folder and a table of the same pictures call the column differently.
    if named is not None and len(there) != 1:
        raise missing_column(table, named, "picture", next_step="--picture {name}")
    if not there:
        raise InputError(
            "no_picture_column",
            f"No column of {table.source} holds pictures.",
            received=f"columns {listed(table.names, 30)}",
            allowed="a column of paths of pictures, relative to the file, or of their bytes",
            next="Name it with --picture NAME.",
        )
    if len(there) == 1:
        return there[0]
    called = [name for name in there if column_names.is_exactly(name, column_names.PICTURE)]
    if len(called) == 1:
        return called[0]
    raise InputError(
        "ambiguous_columns",
        f"Several columns of {table.source} hold pictures.",
        received=listed(there, 30),
        allowed="one of them",
        next=f"Name it with --picture NAME, for example --picture {there[0]}.",
    )


def candidates(table: Table, folder: Path | None) -> list[str]:
    """Columns whose cells are pictures, or else those whose cells are called like some."""
    held = {
        name: [cell for cell in column_cells[:_LOOKED_AT] if not is_empty(cell)]
        for name, column_cells in table.values.items()
    }
    themselves = [name for name, some in held.items() if some and all(map(cells.is_picture, some))]
    if themselves:
        return themselves
    return [name for name, some in held.items() if some and _paths(some, folder)]


def _paths(some: Sequence[Any], folder: Path | None) -> bool:
    named = [cell for cell in some if isinstance(cell, str | Path) and len(str(cell)) < 1000]
    like = sum(formats.is_named_so(str(cell)) for cell in named)
    if like >= _SHARE * len(some):
        return True
    # Files without an ending are pictures where they are there.
    return len(named) == len(some) and all(
        (folder or Path()).joinpath(str(cell)).is_file() for cell in named[:5]
    )


def proof(table: Table, name: str) -> str:
    """How the column was recognised, in a sentence; it goes into reports, so it names no file."""
    held = sum(cell is not None for cell in table.values[name])
    return f"picture: column '{name}' ({counted(held, 'picture')})"
