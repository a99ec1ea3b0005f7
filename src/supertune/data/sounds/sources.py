"""Any source of recordings as tables with one column of `Recording`, whole or window by window.

A source is a folder of class folders (`folders`), a corpus of speech (`corpora`), a recording, a
table with a column of paths or of bytes in any format that `supertune.data.readers` reads, or a
list of recordings, of (recording, label) pairs or of dicts. Where a table has columns start and
end, in seconds, a row is that part of its recording.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from supertune.contracts import Finding, Recording
from supertune.data import class_folders, files, media_lists, readers
from supertune.data.media_cells import Place
from supertune.data.sounds import cells, choosing, corpora, folders, formats
from supertune.data.table import Table
from supertune.data.windows import no_rows, window_of

_READABLE = f"a {formats.READABLE} file, a folder of such files, or a table that names them"
_PART = (("start", "start_time", "begin"), ("end", "end_time", "stop"))


def read(source: Any, named: str | None = None) -> tuple[Table, str]:
    """All rows of a source, and the name of the column that holds the recordings. Empty cells stay
    None.

    Args:
        named: the column of recordings, if the person named one.

    Raises:
        InputError: as `supertune.data.readers.read`, `corpora.windows`, `folders.listing`,
            `choosing.column` and `cells.recording`.
    """
    parts = list(stream(source, named))
    table, column = parts[0]
    if not sum(len(part) for part, _ in parts):
        raise no_rows(table.source)
    if len(parts) == 1:
        return table, column
    names = dict.fromkeys(name for part, _ in parts for name in part.names)
    values = {
        name: [cell for part, _ in parts for cell in part.values.get(name, [None] * len(part))]
        for name in names
    }
    rows = np.arange(1, 1 + sum(len(part) for part, _ in parts))
    return replace(table, values=values, rows=rows), column


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
    """Whether nobody named the columns: those of a folder, of a recording and of a list are
    "audio" and "label"."""
    if isinstance(source, str | Path):
        path = Path(source)
        return path.is_dir() and corpora.windows(path, 1) is None
    return isinstance(source, list | tuple) and bool(source) and not isinstance(source[0], dict)


def stream(
    source: Any, named: str | None = None, window: int = sys.maxsize
) -> Iterator[tuple[Table, str]]:
    """Windows of at most ``window`` rows with their column of recordings; see `read`.

    Memory does not grow with the number of rows, but for the names of files in a folder.
    """
    column = folders.AUDIO if nameless(source) else None
    for table, folder in _raw(source, window):
        if column is None or column not in table.values:
            column = choosing.column(table, folder, named)
        yield _with_recordings(table, column, folder), column


def _raw(source: Any, window: int) -> Iterator[tuple[Table, Path | None]]:
    """Tables as they come, and the folder that their paths begin in."""
    if isinstance(source, str | Path) and str(source) != "-":
        path = files.checked(Path(source), _READABLE)
        listed = _listing(source)
        if listed is not None:
            yield from ((table, None) for table in class_folders.windows(listed, window))
        elif path.is_file() and formats.is_named_so(path):
            whole = formats.recording(path, path.name)
            yield window_of({folders.AUDIO: [whole]}, 1, path.name), None
        elif (found := corpora.windows(path, window)) is not None:
            yield from found
        else:
            yield from ((table, path.parent) for table in readers.stream(path, window))
    elif isinstance(source, list | tuple) and source and not isinstance(source[0], dict):
        yield from (
            (table, None)
            for table in media_lists.listed(source, window, "recording", folders.AUDIO, one_cell)
        )
    else:
        yield from ((table, None) for table in readers.stream(source, window))


def _listing(source: Any) -> class_folders.Listing | None:
    if not isinstance(source, str | Path) or not Path(source).is_dir():
        return None
    if corpora.windows(Path(source), 1) is not None:
        return None
    return folders.listing(Path(source))


def one_cell(cell: Any) -> Any:
    """Samples and their rate under one name, which a table takes as a cell."""
    if isinstance(cell, tuple) and cells.is_samples(cell):
        return {"array": cell[0], "sampling_rate": cell[1]}
    return cell


def _with_recordings(table: Table, column: str, folder: Path | None) -> Table:
    parts = [next((name for name in names if name in table.values), None) for names in _PART]
    found = [
        _part(table, cells.recording(cell, place), parts, place, index)
        for index, (cell, place) in enumerate(
            (cell, Place(int(row), column, folder))
            for row, cell in zip(table.rows, table.values[column], strict=True)
        )
    ]
    # Other columns of recordings mean nothing to a label, and are large.
    beside = {
        name: held
        for name, held in table.values.items()
        if name == column or (name not in parts and not any(map(cells.is_recording, held[:1])))
    }
    return replace(table, values={**beside, column: found})


def _part(
    table: Table, one: Recording | None, parts: Sequence[str | None], place: Place, index: int
) -> Recording | None:
    """The part of a recording that a row names."""
    if one is None or not any(parts):
        return one
    start, end = (
        None if name is None
        else cells.seconds(table.values[name][index], replace(place, column=name))
        for name in parts
    )  # fmt: skip
    return replace(one, start=start, end=end)
