"""Where interactions come from: a table of them, with a table of items beside it or without.

A source is a file, a frame or a list of dicts; a mapping ``{"interactions": ..., "items": ...}``
of two of these; or a folder that holds both, such as one of RecBole's atomic files
(``ml-100k.inter``, ``ml-100k.item``), whose columns are called ``name:type``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from supertune.data import readers
from supertune.data.cells import listed
from supertune.data.table import Table
from supertune.errors import InputError

PARTS = ("interactions", "items")
_SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx", ".inter", ".item")
_TYPES = frozenset({"token", "token_seq", "float", "float_seq"})


def parts(source: Any) -> tuple[Any, Any]:
    """The source of interactions, and that of items or None.

    Raises:
        InputError: ``bad_parts``, ``no_interactions``, ``several_interactions``.
    """
    if isinstance(source, Mapping):
        if "interactions" not in source or not set(source) <= set(PARTS):
            raise InputError(
                "bad_parts",
                "A mapping of sources names the interactions, and the items if there are some.",
                received=listed([str(key) for key in source], 20) or "an empty mapping",
                allowed="interactions, items",
                next='Pass {"interactions": ..., "items": ...}.',
            )
        return source["interactions"], source.get("items")
    if isinstance(source, str | Path) and Path(source).is_dir():
        return in_folder(Path(source))
    return source, None


def in_folder(folder: Path) -> tuple[Path, Path | None]:
    """The file of interactions in a folder, and that of items if there is one."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file())
    done = [p for p in files if p.suffix == ".inter" or p.stem.lower() in ("interactions", "train")]
    items = [p for p in files if p.suffix == ".item" or p.stem.lower() == "items"]
    if len(done) == 1 and len(items) <= 1:
        return done[0], items[0] if items else None
    code = "several_interactions" if done else "no_interactions"
    raise InputError(
        code,
        f"{folder.name} does not hold one file of interactions and one of items at most.",
        received=listed([p.name for p in files], 12) or "no file of rows",
        allowed="interactions.csv and items.csv (or .jsonl, .parquet), or NAME.inter and NAME.item",
        next=f"Name the files: supertune fit {folder.name}/interactions.csv --items "
        f"{folder.name}/items.csv --task recommendation",
    )


def read(source: Any) -> Table:
    """All rows of one part; RecBole's types are taken off the names of its columns.

    Raises:
        InputError, EnvironmentFault: as `supertune.data.readers.read`.
    """
    return plain(readers.read(source))


def stream(source: Any, window: int) -> Iterator[Table]:
    """Windows of the rows of one part."""
    return (plain(table) for table in readers.stream(source, window))


def plain(table: Table) -> Table:
    """The table with columns ``user_id`` where they are called ``user_id:token``."""
    names = [name.rpartition(":") for name in table.names]
    if not names or any(kind not in _TYPES or not name for name, _, kind in names):
        return table
    values = {name: cells for (name, _, _), cells in zip(names, table.values.values(), strict=True)}
    return replace(table, values=values)
