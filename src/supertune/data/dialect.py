"""Which delimiter and which quotes a delimited text has, found by how well its rows agree."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from supertune.data.windows import MAX_CELL

DELIMITERS = (",", ";", "\t", "|")
NONE = "\x1f"  # the control character that ASCII has for this, which no text has
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", NONE: "nothing"}
SAMPLE_LINES = 1000
SAMPLE_CHARACTERS = 1 << 18


@dataclass(frozen=True)
class Dialect:
    """How cells are told apart; ``quote`` None: quotes are letters like others."""

    delimiter: str
    quote: str | None = '"'
    escape: str | None = None
    skip_space: bool = False

    def reader(self, lines: Iterable[str], *, strict: bool = True) -> Any:
        """`csv.reader` over lines that keep their ends.

        Strict, because it would else take ``"a "b" c"`` for ``a b" c"`` and say nothing.
        """
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            quoting=csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL,
            escapechar=self.escape,
            skipinitialspace=self.skip_space,
            strict=strict,
        )

    def notes(self, source: str, expected: str) -> list[str]:
        """What differs from the usual, in sentences."""
        found = []
        if self.delimiter not in (expected, NONE):
            found.append(f"The columns of {source} are separated by {NAMES[self.delimiter]}.")
        if self.quote is None:
            found.append(f"Quotes in {source} are part of the text: they do not enclose cells.")
        elif self.quote != '"':
            found.append(f"Cells of {source} are enclosed in {self.quote}.")
        if self.escape:
            found.append(f"A backslash in {source} takes the next character literally.")
        return found


@dataclass(frozen=True)
class _Fit:
    width: int  # of the header
    rows: int  # below it
    agreeing: float  # share of rows as wide as the header


def detect(lines: Sequence[str], *, expected: str, whole: bool) -> Dialect:
    """The dialect under which most rows are as wide as the header.

    Args:
        lines: the first ones, with their ends.
        expected: the delimiter that the file's name suggests; it wins ties.
        whole: whether these are all lines, so that the last row is complete.
    """
    sample, complete = _sample(lines, whole)
    with CELL_LIMIT:
        plain = [Dialect(delimiter) for delimiter in DELIMITERS]
        fits = {dialect: _fit(dialect, sample, complete) for dialect in plain}
        chosen = max(plain, key=lambda dialect: _rank(dialect, fits[dialect], expected))
        if fits[chosen].width <= 1:
            return _one_column(sample, expected)
        better = _other_quotes(chosen, fits[chosen], sample, complete)
        return _spaces(better, sample)


def _sample(lines: Sequence[str], whole: bool) -> tuple[list[str], bool]:
    found, size = [], 0
    for line in islice(lines, SAMPLE_LINES):
        found.append(line[:SAMPLE_CHARACTERS])
        size += len(line)
        if size >= SAMPLE_CHARACTERS:
            break
    return found, whole and len(found) == len(lines) and size < SAMPLE_CHARACTERS


def _fit(dialect: Dialect, sample: Sequence[str], complete: bool) -> _Fit:
    rows, broken = _rows(dialect, sample)
    if not complete and not broken and len(rows) > 1:
        rows.pop()  # it may be cut
    if not rows:
        return _Fit(0, 0, 0.0)
    width, count = len(rows[0]), len(rows) - 1 + broken
    agreeing = sum(len(row) == width for row in rows[1:])
    return _Fit(width, count, agreeing / max(1, count))


def _rows(dialect: Dialect, sample: Sequence[str]) -> tuple[list[list[str]], bool]:
    """The rows, up to the first that breaks the rules of quoting, and whether one does."""
    rows: list[list[str]] = []
    fed: list[str] = []
    try:
        rows.extend(row for row in dialect.reader(_noted(sample, fed)) if row)
    except csv.Error:
        # A quote that is open at the sample's end may be closed behind it.
        return rows, len(fed) < len(sample)
    return rows, False


def _noted(sample: Sequence[str], fed: list[str]) -> Iterator[str]:
    for line in sample:
        fed.append(line)
        yield line


def _rank(dialect: Dialect, fit: _Fit, expected: str) -> tuple[bool, float, bool, int]:
    return (fit.width > 1, fit.agreeing, dialect.delimiter == expected, fit.width)


def _one_column(sample: Sequence[str], expected: str) -> Dialect:
    """One name on top: what looks like a delimiter below is part of the text ..."""
    rows, _ = _rows(Dialect(expected), sample)
    widths = {len(row) for row in rows[1:]}
    # ... unless it cuts all rows alike: then the header lacks a name, and the rows are refused.
    alike = len(widths) == 1 and widths != {1}
    return Dialect(expected if alike or not rows else NONE)  # no rows: a quote is open from there


def _other_quotes(plain: Dialect, fit: _Fit, sample: Sequence[str], complete: bool) -> Dialect:
    """Single quotes, escaping backslashes or no quoting, where only they make all rows agree."""
    single, bare = replace(plain, quote="'"), replace(plain, quote=None)
    if fit.agreeing == 1.0 and _enclosed(_rows(plain, sample)[0]):
        return single
    others = []
    if plain.delimiter == "\t" and fit.rows < _fit(bare, sample, complete).rows:
        # Such files often have no quoting at all; two quotes then make one row of several lines.
        others.append(bare)
    if fit.agreeing < 1.0:
        if any('\\"' in line for line in sample):
            others.append(replace(plain, escape="\\"))
        # An apostrophe that encloses nothing would only hide that a double quote is not closed.
        if _rows(single, sample) != _rows(bare, sample):
            others.append(single)
    for other in others:
        found = _fit(other, sample, complete)
        if (found.width, found.agreeing) == (fit.width, 1.0):
            return other
    return plain


def _enclosed(rows: Sequence[Sequence[str]]) -> bool:
    """Whether some column has every cell below the header in single quotes."""
    below = [row for row in rows[1:] if len(row) == len(rows[0])]
    return len(below) > 1 and any(
        all(len(cell) > 1 and cell[0] == cell[-1] == "'" for cell in column)
        for column in zip(*below, strict=True)
    )


def _spaces(dialect: Dialect, sample: Sequence[str]) -> Dialect:
    """Spaces behind delimiters belong to no cell where every cell but the first has one."""
    rows = [row for row in _rows(dialect, sample)[0] if len(row) > 1]
    spaced = rows and all(cell.startswith(" ") for row in rows for cell in row[1:])
    return replace(dialect, skip_space=bool(spaced))


class _CellLimit:
    """`MAX_CELL` as the limit of the csv module, which is one number for the whole process.

    The first who needs it sets it, the last puts back what was there before.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._before = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._holders == 0:
                self._before = csv.field_size_limit(MAX_CELL)
            self._holders += 1

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                csv.field_size_limit(self._before)


CELL_LIMIT = _CellLimit()
