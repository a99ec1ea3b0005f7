"""Rows with answers beside them, written window by window as csv, tsv, jsonl or parquet.

A file is written beside its place and renamed when it is whole; an error or Ctrl-C leaves
nothing. Memory holds one window, whatever the number of rows.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from supertune.data.row_formats import Cells, Parquet, RowFormat, height, text_format
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.data.table import Table

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


class RowWriter:
    """Input columns as they came, then the added ones, in the order of the rows.

    Use as a context manager: leaving it by an error aborts, otherwise the file appears.

    Args:
        target: the file; its suffix says the format.
        overwrite: replace an existing file.
        source: the file being read, which must not be the one written.
        separator: joins the labels of one cell in csv and tsv; a JSON list without it.
        partial: what it is called until it is whole; by default a hidden name beside it.

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
        partial: Path | None = None,
    ) -> None:
        self.target = target
        self.renamed: dict[str, str] = {}
        self.rows = 0
        self._overwrite = overwrite
        check_target(target, overwrite=overwrite, source=source)
        self._partial = partial or target.with_name(f".{target.name}.{os.getpid()}.tmp")
        self._stream: TextIO | None = None
        self._format: RowFormat = self._open(target.suffix.lower(), separator)

    def _open(self, suffix: str, separator: str | None) -> RowFormat:
        if suffix == ".parquet":
            return Parquet(self._partial)
        self._stream = self._partial.open("w", encoding="utf-8", errors="replace", newline="")
        return text_format(suffix, self._stream, separator)

    def write(self, table: Table, extra: Cells) -> None:
        """One window: the table's rows, and as many cells of each added column."""
        columns = beside(table.values, extra, self.renamed)
        self._format.window(columns)
        self.rows += height(columns)

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
        # On a full disk closing fails once more: it writes what is still in the buffers.
        with suppress(OSError):
            self._format.close()
        with suppress(OSError):
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
        self._format = text_format(suffix, stream, separator)

    def write(self, table: Table, extra: Cells) -> None:
        """One window, flushed, so that a reader at the other end sees it at once."""
        columns = beside(table.values, extra, self.renamed)
        self._format.window(columns)
        self._stream.flush()
        self.rows += height(columns)


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
