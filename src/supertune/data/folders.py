"""A folder with a folder per class, and a .txt file per row in each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from supertune.data import files
from supertune.data.encoding import decoded
from supertune.data.table import Table
from supertune.data.windows import tidy, window_of
from supertune.errors import InputError


def windows(folder: Path, window: int) -> Iterator[Table]:
    """The columns "text", "label" (the class folder's name) and "file"; classes and files in
    the order of their names, hidden ones left out.

    Raises:
        InputError: ``no_class_folders``, ``binary_file``, ``broken_encoding``,
            ``cell_too_large``.
        EnvironmentFault: ``permission_denied``.
    """
    source = folder.name or str(folder)
    first, notes = 1, list[str]()
    found = _files(folder)
    while batch := list(islice(found, window)):
        texts = [_text(path, notes) for path in batch]
        columns = {
            "text": tidy("text", texts, first, source),
            "label": [path.parent.name for path in batch],
            "file": [f"{path.parent.name}/{path.name}" for path in batch],
        }
        yield window_of(columns, first, source, tuple(notes[:3]))
        first += len(batch)
    if first == 1:
        raise _no_classes(folder)


def _files(folder: Path) -> Iterator[Path]:
    for name in _names(folder):
        if (folder / name).is_dir():
            for file in _names(folder / name):
                path = folder / name / file
                if path.suffix.lower() == ".txt" and path.is_file():
                    yield path


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except PermissionError:
        raise files.denied(folder) from None


def _text(path: Path, notes: list[str]) -> str:
    with files.chunks_of(path) as pieces:
        text, said = decoded(files.whole(pieces), f"{path.parent.name}/{path.name}")
    notes.extend(said)
    return text.replace("\r\n", "\n").rstrip("\n")


def _no_classes(folder: Path) -> InputError:
    names = _names(folder)
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
    table = next((name for name in names if Path(name).suffix in _TABLES), None)
    return InputError(
        "no_class_folders",
        f"{folder.name or folder} has no class folders with pictures or .txt files in them.",
        received=shown or "an empty folder",
        allowed="a folder per class: positive/1.txt, negative/2.txt ...; or cats/1.png, dogs/2.png",
        next=f"Did you mean '{folder / table}'?" if table else "Name a file, or another folder.",
    )


_TABLES = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx")
