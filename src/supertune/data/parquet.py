"""Parquet files, read batch by batch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from supertune.data import files
from supertune.data.table import Table
from supertune.data.windows import checked_names, tidy, window_of
from supertune.errors import EnvironmentFault

_BATCH = 65_536  # rows; what Arrow decodes at a time when the whole file is wanted


def extra_missing(what: str, package: str) -> EnvironmentFault:
    """The formats behind the extra ``files``."""
    return EnvironmentFault(
        "extra_missing",
        f"Reading {what} needs the package {package}.",
        received=what,
        allowed=".csv, .tsv, .jsonl, .json and .txt without it",
        next="pip install 'supertune[files]'",
    )


def windows(path: Path, window: int) -> Iterator[Table]:
    """Windows of a parquet file; dictionary columns as their values.

    Raises:
        InputError: ``file_unreadable``, ``duplicate_column``, ``too_many_columns``, and those
            of `tidy`.
        EnvironmentFault: ``extra_missing``, ``permission_denied``.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise extra_missing(".parquet", "pyarrow") from None
    try:
        # Without pre_buffer=False the whole file is fetched before the first batch.
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            names = list(file.schema_arrow.names)
            checked_names(names, path.name)
            first, spelt = 1, _class_names(file)
            for columns in _parts(file, names, window):
                tidied = {
                    name: tidy(name, named(cells, spelt.get(name)), first, path.name)
                    for name, cells in columns.items()
                }
                table = window_of(tidied, first, path.name)
                yield table
                first += len(table)
            if first == 1:
                yield window_of({name: [] for name in names}, 1, path.name)
    except PermissionError:
        raise files.denied(path) from None
    except (pa.ArrowException, OSError) as error:
        raise files.unreadable(path.name, "parquet", error) from None


def _class_names(file: Any) -> dict[str, list[str]]:
    """By column the names that its numbers stand for, where the `datasets` library wrote the file
    and says so."""
    try:
        told = json.loads((file.schema_arrow.metadata or {}).get(b"huggingface", b"{}"))
        features = told["info"]["features"]
        return {
            name: list(map(str, feature["names"]))
            for name, feature in features.items()
            if feature.get("_type") == "ClassLabel"
        }
    except (ValueError, KeyError, TypeError, AttributeError):  # another's, or an older form
        return {}


def named(cells: Sequence[Any], names: Sequence[str] | None) -> Sequence[Any]:
    """Numbers of a class column as the names they stand for; any other is unlabelled."""
    if names is None:
        return cells
    whole = range(len(names))
    return [names[cell] if isinstance(cell, int) and cell in whole else None for cell in cells]


def _parts(file: Any, names: list[str], window: int) -> Iterator[dict[str, list[Any]]]:
    """Exactly ``window`` rows at a time, however the file is cut into row groups."""
    held: dict[str, list[Any]] = {name: [] for name in names}
    for batch in file.iter_batches(batch_size=min(window, _BATCH)):
        for name, column in zip(names, batch.columns, strict=True):
            held[name].extend(column.to_pylist())
        while len(held[names[0]]) >= window:
            yield {name: cells[:window] for name, cells in held.items()}
            held = {name: cells[window:] for name, cells in held.items()}
    if names and held[names[0]]:
        yield held
