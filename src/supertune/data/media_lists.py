"""Lists of pictures or recordings, or of these with a label, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from supertune.data.cells import counted
from supertune.data.class_folders import LABEL
from supertune.data.table import Table
from supertune.data.windows import window_of
from supertune.errors import InputError


def listed(
    rows: Sequence[Any],
    window: int,
    noun: str,
    column: str,
    cell: Callable[[Any], Any] = lambda row: row,
) -> Iterator[Table]:
    """Windows of at most ``window`` rows; what the first row is, a file or a (file, label) pair,
    all must be.

    Args:
        noun: what a file is called.
        column: the name of the column of files.
        cell: a file as a table holds it; a row that this changes is no pair.

    Raises:
        InputError: ``mixed_rows``.
    """

    def paired(row: Any) -> bool:
        return isinstance(row, tuple | list) and len(row) == 2 and cell(row) is row

    pairs = paired(rows[0])
    source = f"a list of {counted(len(rows), 'pair' if pairs else noun)}"
    for start in range(0, len(rows), window):
        part = rows[start : start + window]
        for number, row in enumerate(part, start + 1):
            if paired(row) != pairs:
                raise InputError(
                    "mixed_rows",
                    f"The rows of {source} are not all of one kind.",
                    received=f"row {number}: {type(row).__name__}",
                    allowed=f"a {f'({noun}, label) pair' if pairs else noun} in each row",
                    next="Give each row the same form.",
                )
        columns = {column: [cell(row[0] if pairs else row) for row in part]}
        if pairs:
            columns[LABEL] = [row[1] for row in part]
        yield window_of(columns, start + 1, source)
