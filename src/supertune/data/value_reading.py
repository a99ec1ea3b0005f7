"""From tables to a `Reading` of values: columns, rows, sides, checks, in this order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from supertune import registry
from supertune.contracts import Columns, Examples, Finding, Reading
from supertune.data import checks, grouping, number_columns, sides, value_rows
from supertune.data.cells import counted, listed
from supertune.data.columns import by_place, check_named, has_places
from supertune.data.table import Table
from supertune.data.text_source import as_far_as_there
from supertune.data.value_rows import ValueRows
from supertune.errors import InputError

FEW = 30  # rows below which every interval is wide


def learned(table: Table, wanted: Columns, test: Table | None = None) -> Reading:
    """Rows to learn from, and rows to judge by where a table or a split column gives such.

    Raises:
        InputError: whatever is wrong with columns, numbers, texts, weights, sides or times.
    """
    settled, findings = number_columns.settle(table, wanted)
    columns = settled.columns
    rows, held, said = _parted(value_rows.read(table, columns), table, columns, test)
    findings += said
    rows, said = value_rows.complete(rows, columns, table.source)
    findings += said
    if columns.time is not None:
        findings.append(sides.time_range(table, columns.time))
    _check_target(rows, table.source, columns)
    narrow, said = value_rows.informative(rows, columns)
    findings += said
    rows = value_rows.narrowed(rows, columns, narrow)
    samples = value_rows.samples(rows, narrow)
    train, said = _prepared(rows, narrow)
    findings += [*said, *_about_target(train)]
    testing = None
    if held is not None:
        where = table.source if test is None else test.source
        held, said = value_rows.complete(held, columns, where)
        held = value_rows.narrowed(held, columns, narrow)
        findings += said
        testing, said = _held(held, rows, narrow, where)
        findings += said
    return Reading(
        train=train,
        test=testing,
        columns=narrow,
        guesses=(*table.notes, *settled.guesses),
        samples=samples,
        findings=tuple(findings),
        source=table.source,
    )


def judged(table: Table, settled: Columns) -> Reading:
    """Rows that a model with these columns is judged by; rows that lack something are left out.

    Raises:
        InputError: ``no_targets``, or what is wrong with columns and cells.
    """
    check_named(table, Columns(text=settled.text, label=settled.label))
    value_rows.check_numbers(table, settled)
    columns = as_far_as_there(table, settled)
    rows = value_rows.read(table, columns)
    if columns.split is not None:
        side = np.array(sides.sides(table, columns.split))
        if (side == "test").any():
            rows = rows.take(np.flatnonzero(side == "test"))
    rows, findings = value_rows.complete(rows, columns, table.source)
    if not np.isfinite(rows.values).any():
        raise _no_targets(len(rows), table.source, columns)
    examples = checks.grouped(rows.examples(columns), rows.named)
    return Reading(
        train=examples,
        test=None,
        columns=columns,
        guesses=(),
        samples=value_rows.samples(rows, columns),
        findings=(*findings, *_unlabelled(examples)),
        source=table.source,
    )


# --- sides ------------------------------------------------------------------------------------


def _parted(
    rows: ValueRows, table: Table, columns: Columns, test: Table | None
) -> tuple[ValueRows, ValueRows | None, list[Finding]]:
    """Rows to learn from, rows to judge by, and what is said about it."""
    held = None if test is None else _like(test, columns)
    if columns.split is None:
        return rows, held, []
    side = np.array(sides.sides(table, columns.split))
    asked, kept = np.flatnonzero(side == "test"), np.flatnonzero(side != "test")
    if len(asked) and held is not None:
        raise InputError(
            "two_test_sets",
            "There are test rows in the split column and a test source as well.",
            received=f"{counted(len(asked), 'test row')} in '{columns.split}'",
            allowed="one of them",
            next="Leave --test out, or take the test rows out of the file.",
        )
    if not len(kept):
        raise InputError(
            "no_training_rows",
            f"All rows of {table.source} are test rows.",
            received=counted(len(rows), "test row"),
            allowed="rows to learn from as well",
            next=f"Mark some as train in '{columns.split}', or leave --split out.",
        )
    if held is None and len(asked):
        held = rows.take(asked)
    return rows.take(kept), held, []


def _like(test: Table, columns: Columns) -> ValueRows:
    """A test table, read by the columns of the training rows."""
    value_rows.check_numbers(test, columns)
    found = as_far_as_there(test, columns)
    wanted = replace(found, split=None, time=None, slices=columns.slices)
    check_named(test, wanted)
    return value_rows.read(test, wanted)


def _held(
    held: ValueRows, train: ValueRows, columns: Columns, source: str
) -> tuple[Examples, list[Finding]]:
    """Rows to judge by, none of which was learned from."""
    if not np.isfinite(held.values).any():
        raise _no_targets(len(held), source, columns)
    known = {_row(train, i) for i in range(len(train))}
    groups = set(train.named or ()) - {None}
    shared = [
        _row(held, i) in known or (held.named is not None and held.named[i] in groups)
        for i in range(len(held))
    ]
    left = [i for i, twice in enumerate(shared) if not twice]
    gone = tuple(int(held.rows[i]) for i, twice in enumerate(shared) if twice)
    if not left:
        raise InputError(
            "test_overlap",
            "Every test row is also learned from, so nothing is left to judge by.",
            received=f"test rows {listed([str(row) for row in gone])}",
            allowed="test rows that the model has not seen",
            next="Give other rows with --test, or leave it out to cross-validate.",
        )
    findings = []
    if gone:
        message = f"{counted(len(gone), 'test row')} also learned from and left out of the test; "
        message += f"{len(left):,} remain."
        findings.append(Finding("test_overlap", message, gone))
    kept = held.take(left)
    return checks.grouped(kept.examples(columns), kept.named), findings


def _row(rows: ValueRows, i: int) -> tuple[object, str]:
    return rows.inputs[i], repr(float(rows.values[i]))


# --- what is learned from ---------------------------------------------------------------------


def _prepared(rows: ValueRows, columns: Columns) -> tuple[Examples, list[Finding]]:
    """Examples with their groups. Copies of texts are dropped as in classification; equal rows of
    numbers may well be different rows, so they are kept, and that is said."""
    train = rows.examples(columns)
    if columns.numbers:
        return checks.grouped(train, rows.named), [*_equal_rows(rows), *_unlabelled(train)]
    kept, findings = checks.duplicates(train, rows.named)
    rows = rows.take(kept)
    train = rows.examples(columns)
    clusters = registry.modality(train.modality).alike(train.inputs)
    findings += checks.alike(train, clusters)
    findings += _unlabelled(train)
    return grouping.kept_together(train, rows.named, clusters), findings


def _equal_rows(rows: ValueRows) -> list[Finding]:
    first: dict[object, int] = {}
    again = [i for i in range(len(rows)) if first.setdefault(_row(rows, i), i) != i]
    if not again:
        return []
    message = (
        f"{counted(len(again), 'row')} equal to another in every number and in the target. They "
        "are kept; if they are copies made by mistake, take them out: they flatter the score."
    )
    return [Finding("equal_rows", message, tuple(int(rows.rows[i]) for i in again), "info")]


def _unlabelled(examples: Examples) -> list[Finding]:
    numbers = tuple(int(row) for row in examples.rows[~examples.answered])
    if not numbers:
        return []
    message = f"{counted(len(numbers), 'row')} without a target left out."
    return [Finding("unlabelled", message, numbers, "info")]


def _check_target(rows: ValueRows, source: str, columns: Columns) -> None:
    held = rows.values[np.isfinite(rows.values)]
    if not len(held):
        raise _no_targets(len(rows), source, columns)
    if len(held) < 3:
        raise InputError(
            "too_few_rows",
            f"{source} has {counted(len(held), 'row')} with a target.",
            received=counted(len(held), "row"),
            allowed="three rows or more",
            next="Add rows with a target; 30 are a good start.",
        )
    if (held == held[0]).all():
        raise InputError(
            "constant_target",
            f"The target '{columns.label}' of {source} is the same in every row.",
            received=f"{counted(len(held), 'row')} with {held[0]:g}",
            allowed="values that differ",
            next="Add rows with other values, or name another column with --label NAME.",
        )


def _about_target(train: Examples) -> list[Finding]:
    assert train.targets is not None
    held = train.targets[train.answered]
    distinct = np.unique(held)
    findings = []
    if len(distinct) == 2:
        low, high = distinct
        message = (
            f"The target '{train.labels[0]}' has two values, {low:g} and {high:g}: this looks like "
            "classification. Texts with two labels are learned by --task text_classification."
        )
        findings.append(Finding("target_has_two_values", message))
    if len(held) < FEW:
        message = f"Only {counted(len(held), 'row')} with a target: every interval is wide."
        findings.append(Finding("few_rows", message))
    return findings


def _no_targets(rows: int, source: str, columns: Columns) -> InputError:
    return InputError(
        "no_targets",
        f"No row of {source} has a target.",
        received=f"{counted(rows, 'row')}, column '{columns.label}' empty in all",
        allowed="a number in at least three rows",
        next="Fill some in, or name another column with --label NAME.",
    )


def settled_places(source: object, table: Table, wanted: Columns) -> Columns:
    """What is meant in a list of (text, value) pairs, whose columns nobody named."""
    return by_place(table, wanted) if has_places(source, table) else wanted
