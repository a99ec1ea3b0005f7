"""From tables to a `Reading` of histories: columns, items, people, sides, checks, in this order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from supertune.contracts import (
    Catalogue,
    Columns,
    Examples,
    Finding,
    History,
    IntArray,
    Reading,
)
from supertune.data.cells import counted, listed
from supertune.data.interactions import cold, items, sources
from supertune.data.interactions import histories as people
from supertune.data.interactions.columns import settle
from supertune.data.interactions.histories import Events
from supertune.data.table import Table
from supertune.errors import InputError

SHOWN = 3  # rows that prove how columns were understood


def learned(source: Any, wanted: Columns, test: Any = None) -> Reading:
    """Histories to learn from, to judge by, and to keep a model of.

    Without ``test`` the last of each person's interactions judge (`Columns.hold_out`), and the
    model that is kept learns from these too once it has been judged.

    Raises:
        InputError: what is wrong with the source, its columns, cells, people or items.
    """
    done, known = sources.parts(source)
    table = sources.read(done)
    described = None if known is None else sources.read(known)
    settled = settle(table, wanted, described)
    columns = settled.columns
    found = people.events(table, columns)
    catalogue, found, said, findings = _catalogue(found, table, described, columns)
    salt = "" if columns.clear_ids else people.salt_of(found)
    catalogue = replace(catalogue, salt=salt)
    histories, rows = people.gathered(found, catalogue, columns)
    _enough(histories, catalogue, table.source, columns.hold_out)
    findings += people.noticed(found, histories, columns)
    held = None if test is None else _later(test, columns, histories, catalogue)
    train, judged, whole = (
        _new(histories, rows, catalogue, columns.hold_out, findings)
        if held is None and columns.hold_out in ("users", "items")
        else _sides(histories, rows, catalogue, held)
    )
    return Reading(
        train=train,
        test=judged,
        columns=columns,
        guesses=(*table.notes, *settled.guesses, *said),
        samples=_samples(table, columns, catalogue),
        findings=tuple(findings),
        source=table.source,
        whole=whole,
    )


def judged(source: Any, columns: Columns, ids: tuple[str, ...]) -> Reading:
    """People that a model is judged by: the last of what each did; items that the model does not
    know are left out.

    Raises:
        InputError: ``no_known_items``, ``no_later_items``, and as `learned`.
    """
    table = sources.read(sources.parts(source)[0])
    settled = settle(table, columns, None).columns
    if settled.hold_out == "items":  # those of a model that is kept are all known to it
        settled = replace(settled, hold_out="last")
    found = people.events(table, settled)
    catalogue = items.bare(ids)
    found, findings = _only_known(found, catalogue, table.source)
    histories, rows = people.gathered(found, catalogue, settled)
    examples = _examples(
        [one.before for one in histories], [one.items[one.known :] for one in histories], rows, ids
    )
    whole = _examples(histories, [one.items[:0] for one in histories], rows, ids)
    return Reading(examples, None, settled, (), (), tuple(findings), table.source, whole=whole)


def stream(
    source: Any, columns: Columns, window: int
) -> Iterator[tuple[Table, tuple[History, ...]]]:
    """Windows of people and their histories; a table has one row a person, its own name in it."""
    table = sources.read(sources.parts(source)[0])
    settled = settle(table, columns, None).columns
    found = people.events(table, settled)
    catalogue = items.bare(sorted(set(found.items)))
    histories, rows = people.gathered(found, catalogue, replace(settled, hold_out=None))
    assert settled.user is not None
    for start in range(0, len(histories), window):
        part = [one.first(len(one)) for one in histories[start : start + window]]
        names = {settled.user: [one.person for one in part]}
        yield Table(names, rows[start : start + window], table.source), tuple(part)


# --- items ------------------------------------------------------------------------------------


def _catalogue(
    found: Events, table: Table, described: Table | None, columns: Columns
) -> tuple[Catalogue, Events, list[str], list[Finding]]:
    """The items, those that only interactions know behind them, and what is said about it."""
    if described is None:
        return items.bare(sorted(set(found.items))), found, [], []
    assert columns.item is not None
    known, said = items.catalogue(described, columns.item, columns)
    findings = items.without_text(known)
    unknown = {name for name in found.items if name not in known.place}
    mended = {name: name[:-2] for name in unknown if name.endswith(".0")}
    mended = {name: short for name, short in mended.items() if short in known.place}
    if mended:
        found = replace(found, items=[mended.get(name, name) for name in found.items])
        unknown -= set(mended)
        message = (
            f"{counted(len(mended), 'item id')} written as {listed(sorted(mended), 3)} in "
            f"{table.source} and without '.0' in {described.source}: taken to be the same."
        )
        findings.append(Finding("ids_changed_type", message))
    if len(unknown) == len(set(found.items)):
        raise InputError(
            "no_known_items",
            f"No item of {table.source} is among those of {described.source}.",
            received=f"{listed(sorted(unknown), 5)} in column '{columns.item}'",
            allowed=f"ids such as {listed(known.ids[:5])}",
            next="Name the column with --item NAME, or give the items that belong to these rows.",
        )
    if unknown:
        rows = [int(r) for r, one in zip(found.rows, found.items, strict=True) if one in unknown]
        message = (
            f"{counted(len(unknown), 'item')} not among those of {described.source} "
            f"({listed(sorted(unknown), 5)}; {counted(len(rows), 'row')}): nothing is known of "
            "them but what people did."
        )
        findings.append(Finding("unknown_items", message, tuple(rows[:1000])))
        known = items.with_unknown(known, sorted(unknown))
    return known, found, said, findings


def _only_known(found: Events, catalogue: Catalogue, source: str) -> tuple[Events, list[Finding]]:
    """Interactions with items of a model that exists."""
    there = np.array([name in catalogue.place for name in found.items], dtype=bool)
    if not there.any():
        raise InputError(
            "no_known_items",
            f"No item of {source} is one that the model knows.",
            received=listed(sorted(set(found.items)), 5),
            allowed=f"ids such as {listed(catalogue.ids[:5])}",
            next="Give interactions with the items that the model was fitted on.",
        )
    if there.all():
        return found, []
    gone = tuple(int(row) for row in found.rows[~there][:1000])
    message = f"{counted(int((~there).sum()), 'row')} with items that the model does not know."
    kept = Events(
        [one for one, here in zip(found.people, there, strict=True) if here],
        [one for one, here in zip(found.items, there, strict=True) if here],
        found.times[there],
        found.ratings[there],
        found.rows[there],
    )
    return kept, [Finding("unknown_items", message, gone)]


# --- sides ------------------------------------------------------------------------------------


def _sides(
    histories: Sequence[History],
    rows: IntArray,
    catalogue: Catalogue,
    held: Mapping[str, IntArray] | None,
) -> tuple[Examples, Examples, Examples | None]:
    """Rows to learn from, rows to judge by, and all that is known."""
    ids = catalogue.ids
    if held is not None:
        later = [held.get(one.person, np.zeros(0, dtype=np.int32)) for one in histories]
        full = [one.first(len(one)) for one in histories]
        own = [replace(one, known=_inner(len(one))) for one in full]
        judged = _examples(full, later, rows, ids)
        return _examples(own, [one.items[one.known :] for one in own], rows, ids), judged, None
    before = [one.before for one in histories]
    later = [one.items[one.known :] for one in histories]
    own = [replace(one, known=_inner(len(one))) for one in before]
    train = _examples(own, [one.items[one.known :] for one in own], rows, ids)
    whole = _examples([replace(one, known=_inner(len(one))) for one in histories], later, rows, ids)
    judging = np.flatnonzero([len(one) > 0 for one in later])
    return train, _examples(before, later, rows, ids).take(judging), whole


def _new(
    histories: Sequence[History],
    rows: IntArray,
    catalogue: Catalogue,
    kind: str,
    findings: list[Finding],
) -> tuple[Examples, Examples, Examples]:
    """The same where people or items judge that are left out of learning."""
    ids = catalogue.ids
    full = [replace(one, known=_inner(len(one))) for one in histories]
    if kind == "users":
        out = cold.people(histories)
        learnt, from_rows = [one for one, gone in zip(full, out, strict=True) if not gone], ~out
        before = [one.before for one in histories]
        later = [one.items[one.known :] for one in histories]
        judging = np.flatnonzero(out)
        findings += cold.told(kind, len(judging))
    else:
        gone = cold.items(histories, ids)
        left = [cold.without(one, gone) for one in histories]
        from_rows = np.array([len(one) > 0 for one in left])
        learnt = [replace(one, known=_inner(len(one))) for one in left if len(one)]
        before = [cold.asked_about(one, np.flatnonzero(gone)) for one in left]
        later = [one.items[gone[one.items]] for one in histories]
        judging = np.flatnonzero([len(one) > 0 for one in later])
        findings += cold.told(kind, int(gone.sum()))
    train = _examples(learnt, [one.items[one.known :] for one in learnt], rows[from_rows], ids)
    whole = _examples(full, [one.items[one.known :] for one in full], rows, ids)
    return train, _examples(before, later, rows, ids).take(judging), whole


def _inner(count: int) -> int:
    """How much of what is learned from is known where it chooses between methods."""
    return count if count < 2 else count - max(1, round(people.SHARE * count))


def _examples(
    inputs: Sequence[History],
    later: Sequence[IntArray],
    rows: IntArray,
    ids: tuple[str, ...],
) -> Examples:
    targets = np.full((len(inputs), max((len(one) for one in later), default=1) or 1), -1, np.int32)
    for i, one in enumerate(later):
        targets[i, : len(one)] = one
    return Examples(tuple(inputs), targets, ids, np.asarray(rows))


def _later(
    test: Any,
    columns: Columns,
    histories: Sequence[History],
    catalogue: Catalogue,
) -> dict[str, IntArray]:
    """What people did later, by their names: items that they had not touched before."""
    table = sources.read(sources.parts(test)[0])
    settled = settle(table, columns, None).columns
    found, _ = _only_known(people.events(table, settled), catalogue, table.source)
    after, _ = people.gathered(found, catalogue, replace(settled, hold_out=None))
    touched = {one.person: one.items for one in histories}
    later = {
        one.person: one.items[~np.isin(one.items, touched[one.person])]
        for one in after
        if one.person in touched
    }
    if not any(len(one) for one in later.values()):
        raise InputError(
            "no_later_items",
            f"Nobody in {table.source} did anything new.",
            received=f"{counted(len(after), 'person', 'people')}, "
            f"{counted(len(later), 'of them known', 'of them known')}",
            allowed="interactions of the same people with items that they had not touched",
            next="Leave --test out: the last of each person's interactions judge then.",
        )
    return later


def _enough(
    histories: Sequence[History], catalogue: Catalogue, source: str, hold_out: str | None
) -> None:
    judging = sum(one.known < len(one) or hold_out == "items" for one in histories)
    if judging < people.FEWEST or len(catalogue) < 3:
        raise InputError(
            "too_few_rows",
            f"{source} is too small to learn from.",
            received=f"{counted(len(catalogue), 'item')}, "
            f"{counted(len(histories), 'person', 'people')}, {judging} of them with interactions "
            "to be judged by",
            allowed=f"3 items and {people.FEWEST} people with two interactions each, or more",
            next="Give more interactions; 1,000 of 50 people are a good start.",
        )


def _samples(table: Table, columns: Columns, catalogue: Catalogue) -> tuple[Mapping[str, str], ...]:
    """A few rows as they were understood; people are not named."""
    samples = []
    assert columns.item is not None
    for i in range(min(SHOWN, len(table))):
        name = str(table.values[columns.item][i])
        place = catalogue.place.get(name)
        shown = {"item": name if place is None else catalogue.titles[place]}
        for role in ("time", "label"):
            column = getattr(columns, role)
            if column is not None:
                shown[role] = str(table.values[column][i])
        samples.append(shown)
    return tuple(samples)
