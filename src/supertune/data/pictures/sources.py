"""Any source of pictures as tables with one column of `Picture`, whole or window by window.

A source is a folder (`folders`), also one with a table of its files (metadata.csv, as the Hugging
Face hub has it), a picture, a table with a column of paths or of bytes in any format that
`supertune.data.readers` reads, or a list of pictures, of (picture, label) pairs or of dicts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import Finding, Picture
from supertune.data import class_folders, files, media_lists, readers
from supertune.data.cells import is_empty
from supertune.data.media_cells import Place
from supertune.data.pictures import cells, choosing, folders, formats
from supertune.data.table import Table
from supertune.data.windows import no_rows, window_of

MANIFESTS = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def read(source: Any, named: str | None = None) -> tuple[Table, str]:
    """All rows of a source, and the name of the column that holds the pictures. Empty cells stay
    None.

    Args:
        named: the column of pictures, if the person named one.

    Raises:
        InputError: as `supertune.data.readers.read`, `folders.listing`, `choosing.column` and
            `cells.picture`.
    """
    table, column = next(stream(source, named, sys.maxsize))
    if not len(table):
        raise no_rows(table.source)
    return table, column


def unread(source: Any) -> list[Finding]:
    """What of a folder is not read."""
    listed = _listing(source)
    return [] if listed is None else listed.findings()


def count(source: Any) -> int | None:
    """How many rows a folder or a list has; of a file only reading it would tell."""
    if isinstance(source, list | tuple | np.ndarray):
        return len(source)
    listed = _listing(source)
    return None if listed is None else len(listed.files)


def nameless(source: Any) -> bool:
    """Whether nobody named the columns: those of a folder, of a picture and of a list are "image"
    and "label"."""
    if isinstance(source, str | Path):
        return Path(source).is_dir() and manifest(Path(source)) is None
    return isinstance(source, np.ndarray) or (
        isinstance(source, list | tuple) and bool(source) and not isinstance(source[0], dict)
    )


def stream(
    source: Any, named: str | None = None, window: int = sys.maxsize
) -> Iterator[tuple[Table, str]]:
    """Windows of at most ``window`` rows with their column of pictures; see `read`.

    Memory does not grow with the number of rows, but for the names of files in a folder.
    """
    column = folders.IMAGE if nameless(source) else None
    for table, folder in _raw(source, window):
        column = column or choosing.column(table, folder, named)
        if column not in table.values:
            column = choosing.column(table, folder, named)
        yield _with_pictures(table, column, folder), column


def _raw(source: Any, window: int) -> Iterator[tuple[Table, Path | None]]:
    """Tables as they come, and the folder that their paths begin in."""
    if isinstance(source, str | Path) and str(source) != "-":
        path = files.checked(Path(source))
        listed = _listing(source)
        if listed is not None:
            yield from ((table, None) for table in class_folders.windows(listed, window))
        elif path.is_file() and formats.is_named_so(path):
            picture = Picture.of(formats.contents_of(path, path.name), path.name, path)
            yield window_of({folders.IMAGE: [picture]}, 1, path.name), None
        else:
            table_ = manifest(path) or path
            yield from ((table, table_.parent) for table in readers.stream(table_, window))
    elif isinstance(source, list | tuple) and source and not isinstance(source[0], dict):
        yield from (
            (table, None) for table in media_lists.listed(source, window, "picture", folders.IMAGE)
        )
    elif isinstance(source, np.ndarray) and source.ndim > 1:
        rows = list(source)
        yield from (
            (table, None) for table in media_lists.listed(rows, window, "picture", folders.IMAGE)
        )
    else:
        yield from ((table, None) for table in readers.stream(source, window))


def _listing(source: Any) -> class_folders.Listing | None:
    if not isinstance(source, str | Path) or not Path(source).is_dir() or manifest(Path(source)):
        return None
    return folders.listing(Path(source))


def manifest(path: Path) -> Path | None:
    """The table of a folder's files, if there is one."""
    if not path.is_dir():
        return None
    return next((path / name for name in MANIFESTS if (path / name).is_file()), None)


def _with_pictures(table: Table, column: str, folder: Path | None) -> Table:
    found = [
        cells.picture(cell, Place(int(row), column, folder))
        for row, cell in zip(table.rows, table.values[column], strict=True)
    ]
    # Other columns of pictures (masks, say) mean nothing to a label, and are large.
    beside = {
        name: column_cells
        for name, column_cells in table.values.items()
        if name == column or not _is_pictures(column_cells)
    }
    return replace(table, values={**beside, column: found})


def _is_pictures(column: Sequence[Any]) -> bool:
    first = next((cell for cell in column if not is_empty(cell)), None)
    return first is not None and cells.is_picture(first)
