"""Comma, semicolon, tab or bar separated text, in windows of rows."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NoReturn

from supertune.data.dialect import (
    CELL_LIMIT,
    DELIMITERS,
    NAMES,
    SAMPLE_CHARACTERS,
    SAMPLE_LINES,
    Dialect,
    detect,
)
from supertune.data.encoding import LongLineError
from supertune.data.table import Table
from supertune.data.windows import (
    MAX_CELL,
    MAX_COLUMNS,
    cell_too_large,
    named,
    shortened,
    too_many_columns,
    window_of,
)
from supertune.errors import InputError


def windows(
    lines: Iterable[str], source: str, window: int, *, expected: str = ",", notes: Sequence[str]
) -> Iterator[Table]:
    """Tables of at most ``window`` rows; one without rows where there is only a header.

    Args:
        lines: with their ends.
        expected: the delimiter that the file's name suggests.
        notes: filled while ``lines`` are read; repeated in each table.

    Raises:
        InputError: ``empty_file``, ``duplicate_column``, ``too_many_columns``, ``ragged_row``,
            ``unclosed_quote``, ``stray_quote``, ``cell_too_large``.
    """
    lines = iter(lines)
    head, long = _head(lines, source)
    if not any(line.strip() for line in head):
        raise empty_file(source)
    whole = len(head) < SAMPLE_LINES and sum(map(len, head)) < SAMPLE_CHARACTERS and not long
    dialect = detect(head, expected=expected, whole=whole)
    records = _Records(chain(head, _resumed(lines, long)), dialect, source)
    unnamed = records.read_header(_first_width(head, dialect))
    own = (*dialect.notes(source, expected), *unnamed)
    first = 1
    while rows := records.take(window):
        yield _table(records.names, rows, first, source, (*notes, *own))
        first += len(rows)
    if first == 1:
        yield _table(records.names, [], 1, source, (*notes, *own))


def empty_file(source: str) -> InputError:
    return InputError(
        "empty_file",
        f"{source} is empty.",
        received="no text",
        allowed="a header and at least one row",
        next="Check that the file was written to its end.",
    )


def _table(
    names: Sequence[str], rows: list[list[str]], first: int, source: str, notes: tuple[str, ...]
) -> Table:
    columns = {name: [row[at] or None for row in rows] for at, name in enumerate(names)}
    return window_of(columns, first, source, notes)


def _head(lines: Iterator[str], source: str) -> tuple[list[str], LongLineError | None]:
    """Lines to judge the dialect by, and the line without end that stopped them."""
    found: list[str] = []
    size = 0
    try:
        for line in islice(lines, SAMPLE_LINES):
            found.append(line)
            size += len(line)
            if size >= SAMPLE_CHARACTERS:
                break
    except LongLineError as long:
        if not found:
            cells = max(long.start.count(delimiter) for delimiter in DELIMITERS) + 1
            if cells > MAX_COLUMNS:
                raise too_many_columns(cells, source) from None
            raise cell_too_large(source, 0, None, f"more than {len(long.start):,}") from None
        return found, long
    return found, None


def _resumed(lines: Iterator[str], long: LongLineError | None) -> Iterator[str]:
    if long is not None:
        raise long
    yield from lines


def _first_width(head: Sequence[str], dialect: Dialect) -> int:
    """At most how many columns the header has, without making them."""
    return next((line for line in head if line.strip()), "").count(dialect.delimiter) + 1


class _Records:
    """Rows as wide as the header, and the exact place of one that is not."""

    def __init__(self, lines: Iterable[str], dialect: Dialect, source: str) -> None:
        self.names: list[str] = []
        self._dialect, self._source = dialect, source
        self._pending: list[str] = []  # lines of the record being read
        self._ended = False
        self._row = 0
        self._count = 0  # of lines
        self._reader: Any = dialect.reader(self._fed(lines))

    def _fed(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self._pending.append(line)
            self._count += 1
            yield line
        self._ended = True
        yield "\0"  # behind the last line: a row of its own, unless a quote is open

    def read_header(self, most: int) -> tuple[str, ...]:
        """Reads the names; answers with what had to be made up."""
        if most > MAX_COLUMNS:
            raise too_many_columns(most, self._source)
        row = next(iter(self._records(1, None)), None)
        if row is None:  # nothing but delimiters, quotes and blanks
            raise empty_file(self._source)
        self.names, notes = named(row, self._source)
        return notes

    def take(self, count: int) -> list[list[str]]:
        """The next rows, fewer than ``count`` at the end only."""
        return self._records(count, len(self.names))

    def _records(self, count: int, width: int | None) -> list[list[str]]:
        rows: list[list[str]] = []
        pending = self._pending
        with CELL_LIMIT:
            try:
                for row in self._reader:
                    if self._ended:
                        break
                    if len(row) == width or (width is None and "".join(row).strip()):
                        rows.append(row)
                    elif width is not None and (len(row) > 1 or "".join(row).strip()):
                        self._ragged(row, self._row + len(rows) + 1)
                    pending.clear()
                    if len(rows) >= count:
                        break
            except csv.Error as error:
                self._refused(str(error), 0 if width is None else self._row + len(rows) + 1)
            except LongLineError as long:
                pending.append(long.start)
                self._count += 1
                self._oversized(self._row + len(rows) + 1)
        if width is not None:
            self._row += len(rows)
        return rows

    def _line(self) -> int:
        """The line on which the record being read begins."""
        return self._count - len(self._pending) + 1

    def _refused(self, reason: str, number: int) -> NoReturn:
        if self._ended:
            *before, cell = list(self._dialect.reader(self._pending, strict=False))[-1]
            self._unclosed(before, cell)
        if "field larger" in reason:
            self._oversized(number)
        line, quote = self._line(), self._dialect.quote
        last = line + len(self._pending) - 1
        begun = f", of a row that begins on line {line}" if last > line else ""
        raise InputError(
            "stray_quote",
            f"{self._source} has a quote inside a quoted cell.",
            received=f"row {number} (line {last}{begun}): {shortened(self._pending[-1])}",
            allowed=f"{quote}{quote} for a {quote} that belongs to the text",
            next=f"Write that quote twice, or close the cell before it; line {line} is the first "
            "to look at.",
        )

    def _unclosed(self, before: Sequence[str], cell: str) -> NoReturn:
        line = self._line() + sum(text.count("\n") for text in before)
        quote = self._dialect.quote
        raise InputError(
            "unclosed_quote",
            f"{self._source} has a quote that is opened and never closed.",
            received=f"line {line}, column {len(before) + 1}: {quote}{shortened(cell)}",
            allowed=f"a second {quote} at the end of the cell",
            next=f"Close the quote on line {line}; a {quote} inside a cell is written twice.",
        )

    def _ragged(self, row: list[str], number: int) -> NoReturn:
        line, spans = self._line(), len(self._pending)
        delimiter = self._dialect.delimiter
        if spans > 1:
            step = (
                f"A quote opened on line {line} or after it is perhaps not closed where it ought."
            )
        elif len(row) > len(self.names):
            step = f'Enclose a cell that has {NAMES[delimiter]} in double quotes ("...").'
        else:
            step = "Add what is missing; a cell may be empty, its delimiter may not be left out."
        raise InputError(
            "ragged_row",
            f"{self._source} has a row with {len(row)} cells under {len(self.names)} names.",
            received=f"row {number} (line {line}): {shortened(delimiter.join(row[:50]))}",
            allowed=f"{len(self.names)} cells separated by {NAMES[delimiter]}: "
            + shortened(", ".join(self.names), 200),
            next=step,
        )

    def _oversized(self, number: int) -> NoReturn:
        """A cell passed `MAX_CELL`, or a line its limit; read that record again to say where."""
        cells = max(line.count(self._dialect.delimiter) for line in self._pending) + 1
        if cells > 10 * MAX_COLUMNS:
            raise too_many_columns(cells, self._source)
        limit = csv.field_size_limit(2**31 - 1)
        try:
            row = list(self._dialect.reader(self._pending, strict=False))[-1]
        finally:
            csv.field_size_limit(limit)
        place = next((at for at, cell in enumerate(row) if len(cell) > MAX_CELL), len(row) - 1)
        width = len(self.names) or 2
        inside = row[place].splitlines()[1:]
        similar = sum(line.count(self._dialect.delimiter) == width - 1 for line in inside)
        if similar > max(5, len(inside) // 2):  # it has swallowed the rows that follow
            self._unclosed(row[:place], row[place])
        column = self.names[place] if place < len(self.names) else None
        raise cell_too_large(self._source, number, column, f"more than {MAX_CELL:,}")
