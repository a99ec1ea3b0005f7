"""Which column holds the recordings; see `supertune.data.media_columns`."""

from __future__ import annotations

from pathlib import Path

from supertune.data import column_names, media_columns
from supertune.data.pictures.formats import SUFFIXES as PICTURES
from supertune.data.sounds import cells, formats
from supertune.data.table import Table

RECORDINGS = media_columns.Sort(
    "recording",
    "audio",
    column_names.AUDIO,
    cells.is_recording,
    formats.is_named_so,
    PICTURES,
)


def column(table: Table, folder: Path | None, named: str | None = None) -> str:
    """The name of the column; raises as `media_columns.column`."""
    return media_columns.column(RECORDINGS, table, folder, named)


def proof(table: Table, name: str) -> str:
    """How the column was recognised, in a sentence; it goes into reports, so it names no file."""
    return media_columns.proof(RECORDINGS, table, name)


def speakers(table: Table) -> str | None:
    """The column that says who speaks, if one is called so."""
    return next(
        (name for name in table.names if column_names.is_exactly(name, column_names.SPEAKER)), None
    )
