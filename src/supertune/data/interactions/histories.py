"""Rows of interactions as one history a person, and what is to be said of them.

A person's id becomes a salted hash unless they may keep it. The salt is made of the rows, so that
equal rows give equal models; it lies in the model folder, since a person is looked up by it. So the
hash keeps ids from being read, and not from being tried one by one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from supertune.contracts import Catalogue, Columns, Finding, FloatArray, History, IntArray
from supertune.data import number_cells
from supertune.data.cells import as_label, as_number, as_time, counted, is_empty, shown
from supertune.data.interactions import cold
from supertune.data.table import Table
from supertune.errors import InputError

SHARE = 0.2  # of each person's interactions, the last of which judge
ALL = 0.1  # of everybody's, where the latest of all judge
FEWEST = 2  # people with two interactions or more, without whom nothing can be judged
BUSY, FAR = 500, 4.0  # interactions and standard deviations from which somebody may be a robot


@dataclass(frozen=True, eq=False)
class Events:
    """(n,) interactions: people and items by id, times in seconds, ratings; NaN where unknown."""

    people: list[str]
    items: list[str]
    times: FloatArray
    ratings: FloatArray
    rows: IntArray

    def __len__(self) -> int:
        return len(self.people)


def events(table: Table, columns: Columns) -> Events:
    """The cells of a table that matter.

    Raises:
        InputError: ``user_empty``, ``item_empty``, ``bad_time``, ``bad_number``, with the row and
            the column.
    """
    assert columns.user is not None
    assert columns.item is not None
    times = np.full(len(table), np.nan)
    if columns.time is not None:
        times = np.array([_moment(table, columns.time, i) for i in range(len(table))])
    ratings = np.full(len(table), np.nan)
    if columns.label is not None:
        ratings = number_cells.read(table, columns.label, role="target")
    return Events(
        _ids(table, columns.user, "user"), _ids(table, columns.item, "item"), times, ratings,
        table.rows,
    )  # fmt: skip


def _ids(table: Table, name: str, role: str) -> list[str]:
    found = []
    for i, cell in enumerate(table.values[name]):
        if is_empty(cell) or not as_label(cell):
            raise InputError(
                f"{role}_empty",
                f"A row of {table.source} does not say which {role} it is about.",
                received=f"row {table.rows[i]}, column '{name}': {shown(cell)}",
                allowed=f"an id of the {role} in each row",
                next="Fill it in, or take the row out.",
            )
        found.append(as_label(cell))
    return found


def _moment(table: Table, name: str, i: int) -> float:
    """Seconds since 1970, of a number or of a date."""
    cell = table.values[name][i]
    number = as_number(cell)
    if number is not None and np.isfinite(number):
        return number
    moment = as_time(cell)
    if moment is None:
        raise InputError(
            "bad_time",
            f"A cell of column '{name}' of {table.source} is no time.",
            received=f"row {table.rows[i]}, column '{name}': {shown(cell)}",
            allowed="seconds since 1970, or a date such as 2026-11-27 or 2026-11-27T08:30:00",
            next="Correct the row, or name another column with --time NAME.",
        )
    aware = moment if isinstance(moment, datetime) and moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.timestamp()


def hashed(salt: str) -> Callable[[str], str]:
    """What a person is called in a model folder: 16 hex digits of their id and ``salt``, or the
    id itself where the salt is empty."""
    if not salt:
        return lambda person: person

    def name(person: str) -> str:
        key = bytes.fromhex(salt)
        return hashlib.blake2b(person.encode(), key=key, digest_size=8).hexdigest()

    return name


def salt_of(found: Events) -> str:
    """16 bytes in hex, made of the rows whatever their order."""
    rows = sorted(zip(found.people, found.items, found.times.tolist(), strict=True))
    return hashlib.blake2b(repr(rows).encode(), digest_size=16).hexdigest()


def gathered(
    found: Events, catalogue: Catalogue, columns: Columns
) -> tuple[list[History], IntArray]:
    """One history a person, in the order of their names, and (p,) the first row of each. What a
    person did with an item again is left out; what happened at one time stands by item."""
    item = np.array([catalogue.place[name] for name in found.items], dtype=np.int64)
    names, person = np.unique(np.array(found.people), return_inverse=True)
    when = np.where(np.isnan(found.times), 0.0, found.times)
    usual = item if columns.time is not None else np.arange(len(item))
    order = np.lexsort((usual, when, person))
    _, first = np.unique(person[order] * len(catalogue) + item[order], return_index=True)
    order = order[np.sort(first)]
    ends = np.cumsum(np.bincount(person[order], minlength=len(names)))
    called, latest = hashed(catalogue.salt), _latest(found, columns)
    histories, rows = [], []
    for i, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        own = order[start:end]
        known = _known(found.times[own], columns.hold_out, latest)
        histories.append(
            History(
                called(str(names[i])),
                item[own].astype(np.int32),
                found.times[own],
                found.ratings[own],
                known,
                catalogue,
            )
        )
        rows.append(int(found.rows[own].min()))
    return histories, np.array(rows, dtype=np.int64)


def _latest(found: Events, columns: Columns) -> float:
    """From when on interactions judge, where the latest of all do."""
    if columns.hold_out != "time":
        return np.inf
    if columns.time is None:
        raise InputError(
            "no_time",
            "The latest interactions cannot judge: no column says when they were.",
            received="--hold-out time, no column of times",
            allowed="last, last_one, or a column of times",
            next="Name the column with --time NAME, or give --hold-out last.",
        )
    return float(np.quantile(found.times, 1 - ALL))


def _known(times: FloatArray, hold_out: str | None, latest: float) -> int:
    """How many of a person's interactions are known when they are judged by the rest."""
    count = len(times)
    if hold_out == "time":
        return int((times < latest).sum())
    if hold_out == "items" or count < 2:
        return count
    if hold_out == "users":
        return cold.shown(count)
    return count - (1 if hold_out == "last_one" else max(1, round(SHARE * count)))


# --- what is to be said -----------------------------------------------------------------------


def noticed(found: Events, histories: Sequence[History], columns: Columns) -> list[Finding]:
    """Repeated rows, people with one interaction, people who did improbably much, and times that
    overlap those that judge."""
    counts = np.array([len(one) for one in histories])
    findings = _repeated(found, int(counts.sum()))
    alone = int((counts == 1).sum())
    if alone:
        message = (
            f"{counted(alone, 'person', 'people')} with a single interaction: they are learned "
            "from and judge nothing."
        )
        findings.append(Finding("one_interaction", message, severity="info"))
    return [*findings, *_busy(histories, counts), *_overlap(histories, columns)]


def _repeated(found: Events, kept: int) -> list[Finding]:
    if kept == len(found):
        return []
    pairs = Counter(zip(found.people, found.items, strict=True))
    seen: set[tuple[str, str]] = set()
    rows = []
    for pair, row in zip(zip(found.people, found.items, strict=True), found.rows, strict=True):
        if pairs[pair] > 1 and pair in seen:
            rows.append(int(row))
        seen.add(pair)
    message = (
        f"{counted(len(rows), 'row')} of a person and an item that have a row already: the first "
        "is kept."
    )
    return [Finding("repeated_interaction", message, tuple(rows[:1000]), "info")]


def _busy(histories: Sequence[History], counts: IntArray) -> list[Finding]:
    logs = np.log(counts)
    limit = max(BUSY, float(np.exp(logs.mean() + FAR * logs.std())))
    busy = [len(one) for one in histories if len(one) > limit]
    if not busy:
        return []
    message = (
        f"{counted(len(busy), 'person', 'people')} with more than {limit:,.0f} interactions "
        f"(up to {max(busy):,}), which hardly anybody has: look whether they are robots."
    )
    return [Finding("improbably_many", message)]


def _overlap(histories: Sequence[History], columns: Columns) -> list[Finding]:
    """A leak from the future: what others did later than what judges is learned from."""
    if columns.time is None or columns.hold_out not in (None, "last", "last_one"):
        return []
    judging = [one.times[one.known :].min() for one in histories if one.known < len(one)]
    if not judging:
        return []
    start = float(np.median(judging))
    learnt: Any = np.concatenate([one.times[: one.known] for one in histories])
    share = float((learnt > start).mean())
    if share < 0.01:
        return []
    message = (
        f"{share:.0%} of the interactions learned from are later than half of those that judge, "
        "since everybody is judged by the end of their own history: a model that is used from one "
        "day on knows less. --hold-out time judges by the latest of all."
    )
    return [Finding("future_learned_from", message, severity="info")]
