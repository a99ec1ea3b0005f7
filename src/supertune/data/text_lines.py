"""One text a line, as .txt files are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from supertune.data.delimited import empty_file
from supertune.data.encoding import LongLineError
from supertune.data.table import Table
from supertune.data.windows import cell_too_large, tidy, window_of


def windows(
    lines: Iterable[str], source: str, window: int, *, notes: Sequence[str]
) -> Iterator[Table]:
    """The column "text"; a row is a line, and blank lines at the end are none.

    Raises:
        InputError: ``empty_file``, ``cell_too_large``.
    """
    first = 1
    texts = _texts(lines, source)
    while batch := list(islice(texts, window)):
        yield window_of({"text": tidy("text", batch, first, source)}, first, source, tuple(notes))
        first += len(batch)
    if first == 1:
        raise empty_file(source)


def tabular(start: str) -> bool:
    """Whether these first lines are a table after all: as many tabs in each, which prose has
    not."""
    whole = [line for line in start.split("\n")[:200] if line.strip()]
    counts = {line.count("\t") for line in (whole[:-1] if len(whole) > 2 else whole)}
    return len(whole) > 1 and len(counts) == 1 and counts != {0}


def _texts(lines: Iterable[str], source: str) -> Iterator[str]:
    blank = 0
    try:
        for line in lines:
            text = line.rstrip("\r\n")
            if not text.strip():
                blank += 1
                continue
            # A number instead of a list: a file of nothing but line breaks has no cost.
            for _ in range(blank):
                yield ""
            blank = 0
            yield text
    except LongLineError as long:
        raise cell_too_large(source, long.line, "text", f"more than {len(long.start):,}") from None
