"""The latest rows held back: what is learned from the past is judged by what came after it."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import numpy as np

from supertune.contracts import Finding, IntArray
from supertune.data import sides
from supertune.data.cells import as_label, counted, listed
from supertune.data.joining import is_blank
from supertune.data.text_rows import TextRows
from supertune.data.text_source import TextSource

SHARE = 0.2  # of the labelled rows, as one of five folds


def parted(rows: TextRows, source: TextSource) -> tuple[TextRows, TextRows | None, Finding]:
    """Rows to learn from, the latest fifth of the labelled ones, and what is said about it.

    Rows of one moment stay on one side. Rows without a time, and those with labels that no
    earlier row has, are learned from. None is held back where what is left could not be learned.
    """
    column = source.columns.time
    assert column is not None
    at = dict(zip(source.table.rows.tolist(), sides.moments(source.table, column), strict=True))
    moments = [at[int(row)] for row in rows.rows]
    known = [
        i
        for i, given in enumerate(rows.given)
        if given is not None and moments[i] is not None and not is_blank(rows.inputs[i])
    ]
    late = _latest(known, moments)
    held, only_late = _with_earlier_labels(rows, late)
    earlier = np.setdiff1d(np.arange(len(rows)), held)
    if not len(held) or not _learnable(rows.take(earlier), multi=source.answers.multi_label):
        message = (
            f"The rows of '{column}' cannot be parted into earlier ones to learn from and later "
            "ones to judge by; folds mix their times."
        )
        return rows, None, Finding("time_not_split", message)
    first = min(held, key=lambda i: moments[i])
    place = int(np.flatnonzero(source.table.rows == rows.rows[first])[0])
    message = (
        f"Judged by the {counted(len(held), 'latest row')} (from "
        f"{as_label(source.table.values[column][place])} in '{column}' on), which the model does "
        f"not learn from; it learns from the other {len(earlier):,}."
    )
    if only_late:
        message += f" Only the latest rows have {listed(only_late)}: learned, but not judged."
    message += " Leave --time out to learn from all rows and cross-validate."
    numbers = tuple(int(row) for row in rows.rows[held])
    return rows.take(earlier), rows.take(held), Finding("time_split", message, numbers, "info")


def _latest(known: list[int], moments: list[Any]) -> list[int]:
    """The rows from that moment on which parts off nearest to `SHARE`; none if all are one."""
    if len({moments[i] for i in known}) < 2:
        return []
    order = sorted(known, key=lambda i: moments[i])
    # Where a part can begin: never between two rows of one moment.
    starts = [
        place
        for place in range(1, len(order))
        if moments[order[place - 1]] != moments[order[place]]
    ]
    wanted = len(order) * (1 - SHARE)
    return order[min(starts, key=lambda place: abs(place - wanted)) :]


def _with_earlier_labels(rows: TextRows, late: list[int]) -> tuple[IntArray, list[str]]:
    """Of the late rows those whose labels all occur in other rows too, ascending; and the
    labels that do not."""
    behind = set(late)
    known = {name for i, given in enumerate(rows.given) if i not in behind for name in given or ()}
    held = [i for i in sorted(late) if known.issuperset(rows.given[i] or ())]
    missing = {name for i in late for name in rows.given[i] or () if name not in known}
    return np.array(held, dtype=np.int64), sorted(missing)


def _learnable(rows: TextRows, *, multi: bool) -> bool:
    counts = Counter(chain.from_iterable(given for given in rows.given if given is not None))
    return max(counts.values(), default=0) > 1 and (multi or len(counts) > 1)
