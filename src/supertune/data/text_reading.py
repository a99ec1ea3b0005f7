"""From tables to a `Reading` of texts and labels: columns, rows, sides, checks, in this order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from supertune.contracts import Columns, Examples, Finding, Reading
from supertune.data import (
    checks,
    chronology,
    label_checks,
    labels,
    leaks,
    overlap,
    sides,
    text_rows,
    text_source,
)
from supertune.data.cells import counted, listed
from supertune.data.columns import by_place, check_named, settle
from supertune.data.nearest import nearest
from supertune.data.table import Table
from supertune.data.text_rows import TextRows
from supertune.data.text_source import TextSource
from supertune.errors import InputError


def learned(
    table: Table, wanted: Columns, test: Table | None = None, *, test_has_places: bool = False
) -> Reading:
    """Rows to learn from, and rows to judge by where a table or a split column gives such.

    Args:
        test_has_places: the test table's columns were not named by anybody, so they need not
            be called as the training rows' are.

    Raises:
        InputError: whatever is wrong with columns, texts, labels, weights, sides or times.
    """
    settled = settle(table, wanted)
    source = text_source.understood(table, settled.columns, settled.guesses, guess=True)
    if test is not None and test_has_places:
        test = _renamed(test, source.columns)
    rows, held, findings = _parted(source, test)
    if not len(rows):
        raise _no_training_rows(source)
    findings += text_source.about_columns(source)
    if held is None and source.columns.time is not None:
        rows, held, parted = chronology.parted(rows, source)
        findings.append(parted)
    rows, dropped = text_source.answered(rows, source)
    labels.check_learnable(
        rows.given, table.source, str(source.columns.label), multi_label=source.answers.multi_label
    )
    names = labels.ordered(rows.given)
    findings += [*dropped, *label_checks.numeric(names)]
    findings += leaks.labels_in_texts(rows.texts(), rows.given, rows.rows)
    train, noticed = checks.prepared(
        rows.examples(names, multi_label=source.answers.multi_label), rows.named
    )
    testing = None
    if held is not None:
        testing, more = _test_examples(held, rows, names, source, test)
        noticed += more
    return Reading(
        train=text_rows.weighed(train),
        test=testing,
        columns=source.columns,
        guesses=source.guesses,
        samples=text_source.samples(rows),
        findings=(*findings, *noticed),
        source=table.source,
    )


def judged(
    table: Table, settled: Columns, names: tuple[str, ...], *, new_labels: bool = False
) -> Reading:
    """Rows that a model with the labels ``names`` is judged by, or beside whose rows they are
    learned from; with ``new_labels`` they may have others, which come behind.

    Only rows without a text are dropped. Columns beside text and label may be missing; where
    there is a split column, its test rows are meant.

    Raises:
        InputError: ``no_labels``, ``unknown_label``, or what is wrong with columns and cells.
    """
    check_named(table, Columns(text=settled.text, label=settled.label))
    found = settle(table, text_source.as_far_as_there(table, settled), fitted=True)
    source = text_source.understood(table, found.columns, found.guesses, guess=False)
    rows, held, _ = _parted(source, None)
    rows, dropped = text_source.answered(rows if held is None else held, source)
    if all(given is None for given in rows.given):
        raise labels.none_given(len(rows), table.source, str(found.columns.label))
    unknown = _unknown(rows, names)
    if unknown and new_labels:
        names = (*names, *sorted(unknown))
    elif unknown:
        raise _unknown_labels(
            "unknown_label", unknown, names, table.source, "fit a new model with these labels"
        )
    examples = rows.examples(names, multi_label=source.answers.multi_label)
    findings = [
        *_slices_not_there(table, settled),
        *dropped,
        *label_checks.unlabelled(examples),
        *label_checks.contradictions(examples),
    ]
    examples = checks.grouped(examples, rows.named)
    return Reading(
        train=text_rows.weighed(examples),
        test=None,
        columns=source.columns,
        guesses=source.guesses,
        samples=text_source.samples(rows),
        findings=tuple(findings),
        source=table.source,
    )


def _slices_not_there(table: Table, settled: Columns) -> list[Finding]:
    missing = [name for name in settled.slices if name not in table.values]
    if not missing:
        return []
    near = [found for name in missing if (found := nearest(name, table.names))]
    message = f"No scores by {listed(missing)}: {table.source} has no such column."
    message += f" Did you mean {listed(near)}?" if near else ""
    return [Finding("slice_column_missing", message)]


def _renamed(test: Table, columns: Columns) -> Table:
    """A list of pairs with its two columns called as they are wanted."""
    wanted = by_place(test, columns)
    if wanted is columns or len(columns.text) != 1 or columns.label is None:
        return test
    names = {"text": columns.text[0], "label": columns.label}
    return replace(test, values={names[name]: cells for name, cells in test.values.items()})


# --- sides ------------------------------------------------------------------------------------


def _parted(
    source: TextSource, test: Table | None
) -> tuple[TextRows, TextRows | None, list[Finding]]:
    """Rows to learn from, rows to judge by, and what is said about it."""
    columns, rows = source.columns, source.rows
    if columns.split is None:
        return rows, None if test is None else _like(test, source).rows, []
    side = np.array(sides.sides(source.table, columns.split))
    judged, learned = np.flatnonzero(side == "test"), np.flatnonzero(side != "test")
    if len(judged) and test is not None:
        raise InputError(
            "two_test_sets",
            "There are test rows in the split column and a test source as well.",
            received=f"{counted(len(judged), 'test row')} in '{columns.split}', and {test.source}",
            allowed="one of them",
            next="Leave --test out, or take the test rows out of the file.",
        )
    findings = []
    if len(valid := np.flatnonzero(side == "valid")):
        message = (
            f"{counted(len(valid), 'validation row')} count as rows to learn from: what is chosen "
            "is chosen by cross-validation over all of them."
        )
        numbers = tuple(int(row) for row in rows.rows[valid])
        findings = [Finding("validation_rows", message, numbers, "info")]
    if test is not None:
        return rows.take(learned), _like(test, source).rows, findings
    return rows.take(learned), rows.take(judged) if len(judged) else None, findings


def _no_training_rows(source: TextSource) -> InputError:
    return InputError(
        "no_training_rows",
        f"All rows of {source.table.source} are test rows.",
        received=counted(len(source.rows), "test row"),
        allowed="rows to learn from as well",
        next=f"Mark some as train in '{source.columns.split}', or leave --split out.",
    )


def _like(test: Table, source: TextSource) -> TextSource:
    """A test table, read by the columns of the training rows."""
    columns = source.columns
    wanted = replace(
        text_source.as_far_as_there(test, columns), split=None, time=None, slices=columns.slices
    )
    check_named(test, wanted)
    if not source.answers.multi_label:
        return text_source.understood(test, wanted, (), guess=False)
    found = text_source.understood(test, wanted, (), guess=False)
    return replace(found, answers=replace(found.answers, multi_label=True))


def _test_examples(
    held: TextRows,
    train: TextRows,
    names: tuple[str, ...],
    source: TextSource,
    test: Table | None,
) -> tuple[Examples, list[Finding]]:
    """Test rows with the labels of the training rows."""
    where = source.table.source if test is None else test.source
    kept, findings = checks.empty_texts(held.inputs, held.rows, f"the test rows of {where}")
    held = held.take(kept)
    answered = [i for i, given in enumerate(held.given) if given is not None]
    if not answered:
        raise InputError(
            "no_test_labels",
            f"No test row of {where} has a label, so nothing can be judged.",
            received=f"{counted(len(held), 'row')}, column '{source.columns.label}' empty in all",
            allowed="labelled test rows",
            next="Label them, or leave --test out to cross-validate.",
        )
    if len(answered) < len(held):
        numbers = tuple(int(n) for i, n in enumerate(held.rows) if held.given[i] is None)
        message = f"{counted(len(numbers), 'test row')} without a label not judged by."
        findings.append(Finding("unlabelled_test", message, numbers))
        held = held.take(answered)
    unknown = _unknown(held, names)
    if unknown:
        raise _unknown_labels(
            "unknown_test_label", unknown, names, where, "add training rows with these labels"
        )
    split, time = source.columns.split, source.columns.time
    option = "--split" if split is not None else "--test" if time is None else "--time"
    option = option if test is None else "--test"
    held, shared = overlap.without_overlap(train, held, option)
    findings += [*shared, *overlap.near_overlap(train.inputs, held)]
    examples = held.examples(names, multi_label=source.answers.multi_label)
    return text_rows.weighed(checks.grouped(examples, held.named)), findings


def _unknown(rows: TextRows, names: tuple[str, ...]) -> dict[str, list[int]]:
    """Labels that are not among ``names``, and the rows they are in."""
    found: dict[str, list[int]] = {}
    for given, row in zip(rows.given, rows.rows, strict=True):
        for name in given or ():
            if name not in names:
                found.setdefault(name, []).append(int(row))
    return found


def _unknown_labels(
    code: str, unknown: dict[str, list[int]], names: tuple[str, ...], source: str, remedy: str
) -> InputError:
    where = [
        f"'{name}' in {'row' if len(rows) == 1 else 'rows'} {listed([str(r) for r in rows], 5)}"
        for name, rows in sorted(unknown.items())
    ]
    return InputError(
        code,
        f"{source} has labels that the training rows do not have.",
        received=listed(where, 5),
        allowed=listed(list(names), 30),
        next=f"Correct the labels, or {remedy}.",
    )
