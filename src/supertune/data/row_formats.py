"""How windows of columns become bytes: delimited text, JSON lines, parquet."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

from supertune.errors import InputError

Cells = Mapping[str, Sequence[Any]]


class RowFormat(Protocol):
    """Takes windows of equally long columns, in the order of the first window's names."""

    def window(self, columns: dict[str, Sequence[Any]]) -> None: ...
    def close(self) -> None: ...


def height(columns: Cells) -> int:
    """The number of rows of a window."""
    return len(next(iter(columns.values()), ()))


def text_format(suffix: str, stream: TextIO, separator: str | None) -> RowFormat:
    if suffix == ".jsonl":
        return Jsonl(stream)
    return Delimited(stream, "\t" if suffix == ".tsv" else ",", separator)


def _rows(columns: Cells) -> Iterator[tuple[Any, ...]]:
    return zip(*columns.values(), strict=True)


class Delimited:
    def __init__(self, stream: TextIO, delimiter: str, separator: str | None) -> None:
        self._writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        self._separator = separator
        self._names: list[str] = []

    def window(self, columns: dict[str, Sequence[Any]]) -> None:
        if not self._names:
            self._names = list(columns)
            self._writer.writerow(self._names)
        ordered = _arranged(columns, self._names)
        self._writer.writerows([self._cell(cell) for cell in row] for row in _rows(ordered))

    def close(self) -> None:
        """Nothing is held back."""

    def _cell(self, value: Any) -> Any:
        if not isinstance(value, list | tuple | dict):
            return value
        parts = list(value)
        joinable = self._separator is not None and isinstance(value, list | tuple)
        if joinable and not any(str(self._separator) in str(part) for part in parts):
            return str(self._separator).join(map(str, parts))
        return json.dumps(value, ensure_ascii=False)


class Jsonl:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def window(self, columns: dict[str, Sequence[Any]]) -> None:
        for row in _rows(columns):
            record = {name: _finite(cell) for name, cell in zip(columns, row, strict=True)}
            self._stream.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")

    def close(self) -> None:
        """Nothing is held back."""


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Parquet:
    """Types are those of the first window; a column of mixed types becomes text."""

    def __init__(self, path: Path) -> None:
        _pyarrow()
        self._path = path
        self._writer: Any = None
        self._schema: Any = None

    def window(self, columns: dict[str, Sequence[Any]]) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        if self._schema is None:
            self._schema = pa.schema(
                [(name, _arrow_type(cells)) for name, cells in columns.items()]
            )
            self._writer = parquet.ParquetWriter(self._path, self._schema)
        ordered = _arranged(columns, self._schema.names)
        arrays = [_arrow(ordered[field.name], field) for field in self._schema]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _pyarrow() -> None:
    if importlib.util.find_spec("pyarrow") is None:
        raise InputError(
            "parquet_needs_pyarrow",
            "Writing parquet needs the package pyarrow.",
            received=".parquet",
            allowed=".csv, .tsv, .jsonl without it",
            next="pip install 'supertune[files]'",
        )


def _arrow_type(cells: Sequence[Any]) -> Any:
    import pyarrow as pa

    try:
        kind = pa.array(cells).type
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return pa.string()
    return pa.string() if pa.types.is_null(kind) else kind


def _arrow(cells: Sequence[Any], field: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_string(field.type):
        cells = [None if cell is None else str(cell) for cell in cells]
    try:
        return pa.array(cells, type=field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise InputError(
            "column_type_changed",
            f"Column '{field.name}' changes its type in a later row, which parquet cannot hold.",
            received=str(error).splitlines()[0],
            allowed=str(field.type),
            next="Write .jsonl or .csv instead.",
        ) from error


def _arranged(columns: dict[str, Sequence[Any]], names: Iterable[str]) -> dict[str, Sequence[Any]]:
    """The columns as the first window had them; one missing now is empty, a new one refused."""
    known = list(names)
    new = [name for name in columns if name not in known]
    if new:
        raise InputError(
            "columns_changed",
            "A later row has a column that the first rows do not have.",
            received=", ".join(new[:5]),
            allowed=", ".join(known),
            next="Write .jsonl, where each row may have its own columns.",
        )
    empty = [None] * height(columns)
    return {name: columns.get(name, empty) for name in known}
