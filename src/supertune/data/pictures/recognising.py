"""Whether a source is one of labelled pictures, told without reading all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from supertune.data import column_guesses, readers
from supertune.data.cells import counted
from supertune.data.pictures import cells, choosing, folders, formats, sources
from supertune.data.profiles import profile
from supertune.data.sides import SPLIT_VALUES
from supertune.data.table import Table
from supertune.errors import SupertuneError

_BOXES = (".json", ".xml")  # endings of files that say what is where on a picture
# Folders that are called so say where pictures are, not what is on them.
_NO_CLASSES = frozenset({*SPLIT_VALUES, "images", "jpegimages", "labels", "annotations"})
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


def _path(path: Path) -> str | None:
    if path.is_dir() and not any((path / name).is_file() for name in sources.MANIFESTS):
        return _folder(path)
    if not path.exists() or formats.is_named_so(path):
        return None
    manifest = sources.manifest(path) or path
    if manifest.suffix.lower() in _WHOLE and manifest.stat().st_size > _LARGE:
        return None
    return _table(next(readers.stream(manifest, _ROWS)), manifest.parent)


def _folder(path: Path) -> str | None:
    """Class folders of pictures, or pictures alone to be labelled; not with files of boxes beside
    them."""
    found = folders.listing(path)
    classes, count = found.classes, counted(len(found.files), "picture")
    beside = sum(found.others.get(suffix, 0) for suffix in _BOXES)
    if not classes:
        return None if beside or ".txt" in found.others else count
    no_classes = all(name.casefold() in _NO_CLASSES for name in classes)
    texts = found.others.get(".txt", 0)
    if no_classes or texts > len(found.files) or beside >= len(found.files):
        return None
    return f"{counted(len(classes), 'class folder')} with {count}"


def _listed(row: Any) -> str | None:
    first = row[0] if isinstance(row, tuple | list) and len(row) == 2 else row
    named = isinstance(first, str | Path) and formats.is_named_so(first) and Path(first).is_file()
    return "its rows begin with a picture" if named or cells.is_picture(first) else None


def _table(table: Table, folder: Path | None) -> str | None:
    """A column of pictures that are there, and none that reads like text."""
    try:
        name = choosing.column(table, folder)
    except SupertuneError:
        return None
    first = next((cell for cell in table.values[name] if cell), None)
    if not cells.is_picture(first) and not (folder or Path()).joinpath(str(first)).is_file():
        return None
    others = [profile(each, held) for each, held in table.values.items()
              if each != name and not any(map(cells.is_picture, held))]  # fmt: skip
    try:
        column_guesses.texts(table, others, pair=False, label_open=True)
    except SupertuneError:
        return f"column '{name}' holds pictures"
    return None
