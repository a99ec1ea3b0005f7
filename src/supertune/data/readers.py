"""Any source of rows as a `Table`, whole or window by window.

A source is a path (.csv, .tsv and other delimited text, .jsonl, .json, .parquet, .xlsx, .txt with
one text a line, lines such as "Input: ... Output: ..." whatever the ending, a folder per class of
.txt files; the text formats also as .gz), ``"-"`` for
standard input, a pandas or polars DataFrame, a ``datasets.Dataset``, a list of texts, of
(text, label) pairs or of dicts, or a `Table`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from supertune.data import (
    answered_rows,
    delimited,
    files,
    folders,
    frames,
    json_rows,
    objects,
    text_lines,
)
from supertune.data.encoding import Decoding, lines
from supertune.data.signatures import check_name
from supertune.data.table import Table
from supertune.data.windows import no_rows
from supertune.errors import InputError


def read(source: Any) -> Table:
    """All rows of a source.

    Raises:
        InputError: what was received, what is allowed, what to do next, with the row and column
            where there is one; ``no_rows`` where there is only a header.
        EnvironmentFault: ``permission_denied``, ``extra_missing``.
    """
    table = next(stream(source, sys.maxsize))
    if not len(table):
        raise no_rows(table.source)
    return table


def stream(source: Any, window: int) -> Iterator[Table]:
    """Windows of at most ``window`` rows, the row numbers going on from one to the next.

    Memory does not grow with the number of rows, except for .json (one text that is parsed
    whole) and for the file names of a class folder. A source with a header and no rows gives one
    table without rows. Columns are the same in each window; in JSON lines and lists of dicts a
    key that appears later is a further column from that window on.

    Raises:
        InputError, EnvironmentFault: as `read`, at the window where the fault is.
    """
    if window < 1:
        raise ValueError(f"a window has at least one row, not {window}")
    if isinstance(source, Table):
        return _slices(source, window)
    if isinstance(source, str) and source == "-":
        return _from_pieces(files.standard_input(), "standard input", "", window)
    if isinstance(source, str | Path):
        return _from_path(files.checked(Path(source)), window)
    if frames.library(source):
        return frames.windows(source, window)
    if type(source).__module__ == "numpy" and getattr(source, "ndim", 0) == 1:
        source = source.tolist()
    if isinstance(source, list | tuple):
        return objects.windows(source, window)
    raise InputError(
        "unknown_source",
        f"A {type(source).__name__} cannot be read as rows.",
        received=f"{type(source).__module__}.{type(source).__qualname__}",
        allowed=objects.ALLOWED,
        next="Turn it into a list of (text, label) pairs first.",
    )


def _slices(table: Table, window: int) -> Iterator[Table]:
    for start in range(0, max(1, len(table)), window):
        part = slice(start, min(start + window, len(table)))
        cells = {name: column[part] for name, column in table.values.items()}
        yield Table(cells, table.rows[part], table.source, table.notes)


def _from_path(path: Path, window: int) -> Iterator[Table]:
    if path.is_dir():
        return folders.windows(path, window)
    check_name(path)
    if path.is_file() and path.stat().st_size == 0:
        raise delimited.empty_file(path.name)
    reader = _BINARY.get(path.suffix.lower())
    return reader(path, window) if reader else _from_text(path, window)


def _from_text(path: Path, window: int) -> Iterator[Table]:
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    with files.chunks_of(path) as pieces:
        yield from _from_pieces(pieces, path.name, inner.suffix.lower(), window)


def _from_pieces(pieces: Iterator[bytes], source: str, suffix: str, window: int) -> Iterator[Table]:
    """Text in pieces; without a telling suffix, its first character says what it is."""
    decoding = Decoding(source)
    first, texts = _begun(decoding.texts(pieces))
    if suffix not in _TEXT:
        suffix = {"{": ".jsonl", "[": ".json"}.get(first.lstrip()[:1], ".csv")
    notes = decoding.notes
    if suffix == ".json":
        yield from _json("".join(texts), source, window, notes)
    elif suffix in (".jsonl", ".ndjson"):
        yield from json_rows.windows(lines(texts), source, window, notes=notes)
    elif answered_rows.begins(first) or (suffix == ".txt" and not text_lines.tabular(first)):
        yield from text_lines.windows(lines(texts), source, window, notes=notes)
    else:
        expected = _TEXT[suffix]
        yield from delimited.windows(lines(texts), source, window, expected=expected, notes=notes)


_TEXT = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|", ".txt": "\t"}
_TEXT |= {".json": "", ".jsonl": "", ".ndjson": ""}
_TEXT |= dict.fromkeys((".inter", ".item"), "\t")  # atomic files of RecBole


def _begun(texts: Iterator[str]) -> tuple[str, Iterator[str]]:
    """The first piece that is not blank, and all of them."""
    seen = []
    for text in texts:
        seen.append(text)
        if not text.isspace() and text:
            break
    return seen[-1] if seen else "", chain(seen, texts)


def _json(text: str, source: str, window: int, notes: list[str]) -> Iterator[Table]:
    if json_rows.is_lines(text):
        return json_rows.windows(lines([text]), source, window, notes=notes)
    rows = json_rows.parsed(text, source)
    return objects.windows(rows, window, source=source, notes=notes)


def _parquet(path: Path, window: int) -> Iterator[Table]:
    from supertune.data import parquet

    return parquet.windows(path, window)


def _spreadsheet(path: Path, window: int) -> Iterator[Table]:
    from supertune.data import spreadsheet

    return spreadsheet.windows(path, window)


_BINARY: dict[str, Callable[[Path, int], Iterator[Table]]] = {
    ".parquet": _parquet,
    ".pq": _parquet,
    ".xlsx": _spreadsheet,
    ".xlsm": _spreadsheet,
}
