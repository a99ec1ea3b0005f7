"""Cells that hold a picture or a recording: where they stand, and the files that they name."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.contracts import Medium


@dataclass(frozen=True)
class Place:
    """Where a cell stands: for its messages, and for paths that are relative to its file."""

    row: int
    column: str | None = None
    folder: Path | None = None

    def __str__(self) -> str:
        return f"row {self.row}" + (f", column '{self.column}'" if self.column else "")


def is_struct(cell: Any) -> bool:
    """Whether a cell is ``{"bytes": ..., "path": ...}``, as the data sets of the Hugging Face hub
    hold files."""
    return isinstance(cell, Mapping) and set(cell) == {"bytes", "path"}


def written(cell: Any, folder: Path) -> Any:
    """A cell as a file in ``folder`` names it: a picture or a recording by its path from there, or
    by its name where it lies in no file; any other as it is."""
    if not isinstance(cell, Medium):
        return cell
    if cell.path is None:
        return cell.name
    try:
        return Path(os.path.relpath(cell.path, folder)).as_posix()
    except ValueError:  # on another drive
        return str(cell.path)


def exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a text too long for a name, or with a NUL
        return False


def near(path: Path, place: Place) -> str:
    relative = "" if place.folder is None else " Paths are relative to the file that names them."
    try:
        names = os.listdir(path.parent)[:2000]
    except (OSError, ValueError):
        return f"Put it back, or take its row out.{relative}"
    alike = difflib.get_close_matches(path.name, names, n=1)
    return (
        f"Did you mean '{alike[0]}'?" if alike else "Put it back, or take its row out."
    ) + relative
