"""Whether a source is one of labelled recordings, told without reading all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from supertune.data import column_guesses, column_names, readers
from supertune.data.cells import counted
from supertune.data.profiles import profile
from supertune.data.sides import SPLIT_VALUES
from supertune.data.sounds import cells, choosing, corpora, folders, formats
from supertune.data.table import Table
from supertune.errors import SupertuneError

# Folders that are called so say where recordings are, not what is heard in them.
_NO_CLASSES = frozenset({*SPLIT_VALUES, "clips", "wav", "wavs", "audio"})
_SAID = frozenset({"sentence", "transcript", "transcription", "text", "normalized_text"})
_ROWS = 50  # of a table that are looked at
_WHOLE = (".json", ".xlsx", ".xlsm")  # files of which no part can be read alone
_LARGE = 20_000_000  # bytes from which such a file is not read twice


def recognised(source: Any) -> str | None:
    """Why it is one, in words; None where it is not, or where that cannot be told."""
    try:
        if isinstance(source, str | Path):
            return _path(Path(source))
        if isinstance(source, list | tuple) and source and not isinstance(source[0], dict):
            return _listed(source[0])
        if isinstance(source, Table):
            return None
        return _table(next(readers.stream(source, _ROWS)), None)
    except (SupertuneError, OSError, ValueError):  # said by whoever reads it
        return None


def transcribed(source: Any) -> str | None:
    """Why it is a source of recordings with what is said in them, in words; None where it is not,
    or where that cannot be told."""
    try:
        if not isinstance(source, str | Path):
            return None
        path = Path(source)
        if path.is_dir():
            corpus = corpora.windows(path, _ROWS)
            if corpus is None:
                return None
            table, folder = next(corpus)
        elif not path.exists() or formats.is_named_so(path) or _too_large(path):
            return None
        else:
            table, folder = next(readers.stream(path, _ROWS)), path.parent
        name = choosing.column(table, folder)
    except (SupertuneError, OSError, ValueError, StopIteration):
        return None
    first = next((cell for cell in table.values[name] if cell), None)
    inside = [folder, *(folder / one for one in cells.INSIDE)]
    itself = cells.is_samples(first) or (cells.is_recording(first) and _begins(first))
    if not itself and not any((one / str(first)).is_file() for one in inside):
        return None
    said = [each for each in table.names if column_names.is_exactly(each, _SAID)]
    return f"columns '{name}' and '{said[0]}': recordings and what is said" if said else None


def _path(path: Path) -> str | None:
    if path.is_dir():
        corpus = corpora.windows(path, _ROWS)
        return _folder(path) if corpus is None else _table(*next(corpus))
    if not path.exists() or formats.is_named_so(path):
        return None
    if path.suffix.lower() in _WHOLE and path.stat().st_size > _LARGE:
        return None
    return _table(next(readers.stream(path, _ROWS)), path.parent)


def _too_large(path: Path) -> bool:
    return path.suffix.lower() in _WHOLE and path.stat().st_size > _LARGE


def _folder(path: Path) -> str | None:
    """Class folders of recordings, or recordings alone to be labelled."""
    found = folders.listing(path)
    classes, count = found.classes, counted(len(found.files), "recording")
    if sum(found.others.values()) > len(found.files):
        return None
    if not classes:
        return count
    if all(name.casefold() in _NO_CLASSES for name in classes):
        return None
    return f"{counted(len(classes), 'class folder')} with {count}"


def _listed(row: Any) -> str | None:
    pair = isinstance(row, tuple | list) and len(row) == 2 and not cells.is_samples(row)
    first = row[0] if pair else row
    named = isinstance(first, str | Path) and formats.is_named_so(first) and Path(first).is_file()
    sure = cells.is_recording(first) and not isinstance(first, bytes)
    return "its rows begin with a recording" if named or sure else None


def _table(table: Table, folder: Path | None) -> str | None:
    """A column of recordings that are there, and none that reads like text."""
    try:
        name = choosing.column(table, folder)
    except SupertuneError:
        return None
    first = next((cell for cell in table.values[name] if cell), None)
    base = folder or Path()
    inside = [base, *(base / one for one in cells.INSIDE)]
    itself = cells.is_samples(first) or (cells.is_recording(first) and _begins(first))
    if not itself and not any((one / str(first)).is_file() for one in inside):
        return None
    others = {each: held for each, held in table.values.items() if each != name}
    if any(column_names.is_exactly(each, _SAID) for each in others):
        return None
    profiles = [profile(each, held) for each, held in others.items()
                if not any(map(cells.is_recording, held))]  # fmt: skip
    try:
        column_guesses.texts(table, profiles, pair=False, label_open=True)
    except SupertuneError:
        return f"column '{name}' holds recordings"
    return None


def _begins(cell: Any) -> bool:
    """Whether bytes in a cell begin as a recording does."""
    held = cell.get("bytes") if isinstance(cell, dict) else cell
    return isinstance(held, bytes) and formats.known(held[:4096])
