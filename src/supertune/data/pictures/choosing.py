"""Which column holds the pictures; see `supertune.data.media_columns`."""

from __future__ import annotations

from pathlib import Path

from supertune.data import column_names, media_columns
from supertune.data.pictures import cells, formats
from supertune.data.sounds.formats import SUFFIXES as SOUNDS
from supertune.data.table import Table

PICTURES = media_columns.Sort(
    "picture",
    "picture",
    column_names.PICTURE,
    cells.is_picture,
    formats.is_named_so,
    SOUNDS,
)


def column(table: Table, folder: Path | None, named: str | None = None) -> str:
    """The name of the column; raises as `media_columns.column`."""
    return media_columns.column(PICTURES, table, folder, named)


def proof(table: Table, name: str) -> str:
    """How the column was recognised, in a sentence; it goes into reports, so it names no file."""
    return media_columns.proof(PICTURES, table, name)
