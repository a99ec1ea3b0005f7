"""Rows with answers beside them, written window by window as csv, tsv, jsonl or parquet.

A file is written beside its place and renamed when it is whole; an error or Ctrl-C leaves
nothing. Memory holds one window, whatever the number of rows.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.data.table import Table

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
Cells = Mapping[str, Sequence[Any]]


class _Format(Protocol):
    """Takes windows of equally long columns, in the order of the first window's names."""

    def window(self, columns: dict[str, Sequence[Any]]) -> None: ...
    def close(self) -> None: ...


class RowWriter:
    """Input columns as they came, then the added ones, in the order of the rows.

    Use as a context manager: leaving it by an error aborts, otherwise the file appears.

    Args:
        target: the file; its suffix says the format.
        overwrite: replace an existing file.
        source: the file being read, which must not be the one written.
        separator: joins the labels of one cell in csv and tsv; a JSON list without it.

    Attributes:
        renamed: added columns whose name the input already has, and what they are called.
        rows: how many were written.

    Raises:
        InputError: ``output_suffix``, ``output_exists``, ``output_is_input``,
            ``output_folder_missing``, ``output_is_folder``, ``columns_changed``,
            ``column_type_changed``.
    """

    def __init__(
        self,
        target: Path,
        *,
        overwrite: bool = False,
        source: object = None,
        separator: str | None = None,
    ) -> None:
        self.target = target
        self.renamed: dict[str, str] = {}
        self.rows = 0
        self._overwrite = overwrite
        check_target(target, overwrite=overwrite, source=source)
        self._partial = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        self._stream: TextIO | None = None
        self._format: _Format = self._open(target.suffix.lower(), separator)

    def _open(self, suffix: str, separator: str | None) -> _Format:
        if suffix == ".parquet":
            return _Parquet(self._partial)
        self._stream = self._partial.open("w", encoding="utf-8", errors="replace", newline="")
        return _text_format(suffix, self._stream, separator)

    def write(self, table: Table, extra: Cells) -> None:
        """One window: the table's rows, and as many cells of each added column."""
        columns = beside(table.values, extra, self.renamed)
        self._format.window(columns)
        self.rows += _height(columns)

    def close(self) -> None:
        """The file appears under its name, whole."""
        self._format.close()
        if self._stream is not None:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
        if not self._overwrite and self.target.exists():
            self.abort()
            raise _exists(self.target)
        os.replace(self._partial, self.target)

    def abort(self) -> None:
        """Nothing is left, and what stood there before stands."""
        try:
            self._format.close()
        finally:
            if self._stream is not None:
                self._stream.close()
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.abort()
            return
        try:
            self.close()
        except BaseException:
            self.abort()
            raise


class StreamWriter:
    """`RowWriter` for a stream that is not ours to close, such as stdout: csv, tsv or jsonl."""

    def __init__(self, stream: TextIO, suffix: str, *, separator: str | None = None) -> None:
        self.renamed: dict[str, str] = {}
        self.rows = 0
        self._stream = stream
        self._format = _text_format(suffix, stream, separator)

    def write(self, table: Table, extra: Cells) -> None:
        """One window, flushed, so that a reader at the other end sees it at once."""
        columns = beside(table.values, extra, self.renamed)
        self._format.window(columns)
        self._stream.flush()
        self.rows += _height(columns)


def check_target(target: Path, *, overwrite: bool = False, source: object = None) -> None:
    """Refuse a place that cannot or must not be written, before anything is computed."""
    if target.suffix.lower() not in SUFFIXES:
        raise InputError(
            "output_suffix",
            "The output's suffix says no format that can be written.",
            received=str(target),
            allowed=", ".join(SUFFIXES),
            next=f"For example -o {target.with_suffix('.csv')}",
        )
    if target.is_dir():
        raise InputError(
            "output_is_folder",
            "The output is a folder.",
            received=str(target),
            allowed="a file that may be written",
            next=f"For example -o {target / 'predictions.csv'}",
        )
    if not target.parent.is_dir():
        raise InputError(
            "output_folder_missing",
            "The output's folder does not exist.",
            received=str(target.parent),
            allowed="an existing folder",
            next=f"mkdir -p {target.parent}",
        )
    if isinstance(source, str | Path) and _same(target, source):
        raise InputError(
            "output_is_input",
            "The output would replace the input while it is being read.",
            received=str(target),
            allowed="another file",
            next=f"For example -o {target.with_stem(target.stem + '-answers')}",
        )
    if target.exists() and not overwrite:
        raise _exists(target)


def beside(given: Cells, added: Cells, renamed: dict[str, str]) -> dict[str, Sequence[Any]]:
    """All columns of one window; added names that the input has get ``_2``, ``_3`` ...

    ``renamed`` remembers what was done in earlier windows and is extended.
    """
    columns: dict[str, Sequence[Any]] = dict(given)
    for name, cells in added.items():
        free, number = renamed.get(name, name), 2
        while free in columns:
            free, number = f"{name}_{number}", number + 1
        if free != name:
            renamed[name] = free
        columns[free] = cells
    return columns


def _height(columns: Cells) -> int:
    return len(next(iter(columns.values()), ()))


def _same(target: Path, source: str | Path) -> bool:
    try:
        return target.exists() and os.path.samefile(target, source)
    except OSError:  # the source is stdin, a text, or gone
        return False


def _exists(target: Path) -> InputError:
    return InputError(
        "output_exists",
        f"{target} exists already.",
        received=str(target),
        allowed="a new name, or --overwrite",
        next="Add --overwrite to replace it, or choose another -o.",
    )


# --- formats --------------------------------------------------------------------------------


def _text_format(suffix: str, stream: TextIO, separator: str | None) -> _Format:
    if suffix == ".jsonl":
        return _Jsonl(stream)
    return _Delimited(stream, "\t" if suffix == ".tsv" else ",", separator)


def _rows(columns: Cells) -> Iterator[tuple[Any, ...]]:
    return zip(*columns.values(), strict=True)


class _Delimited:
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


class _Jsonl:
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


class _Parquet:
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
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise InputError(
            "parquet_needs_pyarrow",
            "Writing parquet needs the package pyarrow.",
            received=".parquet",
            allowed=".csv, .tsv, .jsonl without it",
            next="pip install 'supertune[files]'",
        ) from error


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
    empty = [None] * _height(columns)
    return {name: columns.get(name, empty) for name in known}
