"""From a source of pictures to a `Reading` of pictures and labels, as `data.text_reading` does it
once there is a column of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from supertune.contracts import Columns, Finding, Input, Picture, Reading
from supertune.data import joining, text_reading
from supertune.data.cells import counted, listed
from supertune.data.columns import settle
from supertune.data.pictures import choosing, folders, formats, glimpses, sources
from supertune.data.table import Table
from supertune.data.windows import window_of
from supertune.errors import InputError

_SHOWN = 3  # broken pictures that are named


def learned(source: Any, wanted: Columns, test: Any = None) -> Reading:
    """Pictures to learn from, and pictures to judge by where ``test`` or a split gives such.

    Raises:
        InputError: whatever is wrong with files, columns, pictures, labels, weights or sides.
    """
    table, columns, found = rows(source, wanted)
    if columns.label is None and table.names == (columns.picture,):
        raise _no_labels(table)
    held = None
    if test is not None:
        held, other, more = rows(test, wanted)
        found += more
        held = _called(held, other, replace(columns, label=settle(table, columns).columns.label),
                       sources.nameless(test))  # fmt: skip
    reading = text_reading.learned(table, columns, held)
    said = [] if wanted.picture else [choosing.proof(table, str(columns.picture))]
    return replace(reading, guesses=(*said, *reading.guesses), findings=(*found, *reading.findings))


def judged(
    source: Any, wanted: Columns, names: tuple[str, ...], *, new_labels: bool = False
) -> Reading:
    """Pictures that a model with the labels ``names`` is judged by; see `text_reading.judged`."""
    table, columns, found = rows(source, wanted)
    table = _called(table, columns, wanted, sources.nameless(source))
    reading = text_reading.judged(table, wanted, names, new_labels=new_labels)
    return replace(reading, findings=(*found, *reading.findings))


def stream(source: Any, wanted: Columns, window: int) -> Iterator[tuple[Table, tuple[Input, ...]]]:
    """Windows of rows and the pictures in them. A broken one is an error, by its row: nothing can
    be answered of it, and an answer that is left out would shift all others.

    Raises:
        InputError: as `learned`, at the window where the fault is; ``picture_missing`` for an
            empty cell.
    """
    for table, column in sources.stream(source, wanted.picture, window):
        cells = table.values[column]
        for row, cell in zip(table.rows, cells, strict=True):
            if cell is None:
                raise formats.missing("", f"row {row}, column '{column}': an empty cell")
        for row, seen in zip(table.rows, glimpses.of(cells), strict=True):
            if seen.broken is not None:
                raise _in_row(seen.broken, int(row))
        yield table, joining.inputs(table, Columns(picture=column))


def _in_row(error: InputError, row: int) -> InputError:
    said = error.received or ""
    return InputError(
        error.code,
        error.message,
        received=said if said.startswith("row ") else f"row {row}: {said}",
        allowed=error.allowed,
        next=error.next,
    )


def rows(source: Any, wanted: Columns) -> tuple[Table, Columns, list[Finding]]:
    """Rows whose pictures can all be decoded, the columns with that of the pictures, and what is
    left out."""
    if wanted.text or wanted.template is not None:
        raise _no_texts(wanted)
    table, column = sources.read(source, wanted.picture)
    found = sources.unread(source)
    table, broken = _whole(table, column)
    return table, replace(wanted, picture=column), [*found, *broken]


def _whole(table: Table, column: str) -> tuple[Table, list[Finding]]:
    """The rows without those whose picture is broken.

    Raises:
        InputError: ``picture_too_large``; what is wrong with the first, where all are broken.
    """
    held = [i for i, cell in enumerate(table.values[column]) if cell is not None]
    seen = glimpses.of([table.values[column][i] for i in held])
    faults = {i: one.broken for i, one in zip(held, seen, strict=True) if one.broken is not None}
    for i, fault in faults.items():
        if fault.code == "picture_too_large" or len(faults) == len(held):
            raise _in_row(fault, int(table.rows[i]))
    if not faults:
        return table, []
    kept = [i for i in range(len(table)) if i not in faults]
    cells = {name: [values[i] for i in kept] for name, values in table.values.items()}
    named = [str(table.values[column][i]) for i in faults]
    message = (
        f"{counted(len(faults), 'picture')} of {table.source} cannot be decoded and "
        f"{'is' if len(faults) == 1 else 'are'} left out: {listed(named, _SHOWN)}."
    )
    rows = tuple(int(table.rows[i]) for i in faults)
    whole = replace(table, values=cells, rows=np.asarray(table.rows)[kept])
    return whole, [Finding("broken_picture", message, rows)]


def _called(table: Table, own: Columns, wanted: Columns, nameless: bool) -> Table:
    """The table with its picture column called as the model's, and of a folder or a list the
    label as well."""
    names = {str(own.picture): str(wanted.picture or own.picture)}
    if nameless and wanted.label is not None:
        names[folders.LABEL] = wanted.label
    cells = {names.get(name, name): values for name, values in table.values.items()}
    return replace(table, values=cells)


def _no_texts(wanted: Columns) -> InputError:
    return InputError(
        "picture_column_missing",
        "Pictures are read here, not texts.",
        received=f"text {', '.join(wanted.text)}" if wanted.text else f"template {wanted.template}",
        allowed="a column of pictures",
        next="Name it with --picture NAME, or choose another --task.",
    )


def _no_labels(table: Table) -> InputError:
    return InputError(
        "no_class_folders",
        f"{table.source} has pictures, and nothing says what they are.",
        received=f"{counted(len(table), 'picture')} without a label",
        allowed="a folder a class: cats/1.png, dogs/1.png ...; or a table with a column of paths "
        "and one of labels",
        next="Put each class into a folder of its own, or label them: supertune label.",
    )


def given(values: Any) -> list[Input]:
    """Pictures that Python code hands to a model: paths, bytes, images of Pillow, arrays.

    Raises:
        InputError: ``one_picture_given``, ``not_pictures``; and as `stream`.
    """
    if isinstance(values, str | bytes | Picture) or hasattr(values, "getbands"):
        raise InputError(
            "one_picture_given",
            "predict takes several pictures, not one.",
            received=f"{type(values).__name__}: {str(values)[:80]}",
            allowed='a list, e.g. ["first.png", "second.png"]',
            next="Put the picture into a list.",
        )
    try:
        held: Sequence[Any] = list(values)
    except TypeError as error:
        raise InputError(
            "not_pictures",
            "predict takes a list of pictures.",
            received=type(values).__name__,
            allowed='e.g. ["first.png", "second.png"]',
            next="Pass a list of paths, bytes, images of Pillow or arrays.",
        ) from error
    column = folders.IMAGE
    if not held:
        return []
    table = window_of({column: held}, 1, f"a list of {counted(len(held), 'picture')}")
    return [one for _, part in stream(table, Columns(picture=column), len(held)) for one in part]
