"""From a source of pictures to a `Reading` of pictures and labels, as `data.text_reading` does it
once there is a column of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from supertune.contracts import Columns, Finding, Input, Picture, Reading
from supertune.data import joining, media_columns, media_rows, text_reading
from supertune.data.cells import counted
from supertune.data.columns import settle
from supertune.data.pictures import choosing, folders, formats, glimpses, sources
from supertune.data.table import Table
from supertune.data.windows import window_of
from supertune.errors import InputError

_REFUSED = ("picture_too_large",)


def learned(source: Any, wanted: Columns, test: Any = None) -> Reading:
    """Pictures to learn from, and pictures to judge by where ``test`` or a split gives such.

    Raises:
        InputError: whatever is wrong with files, columns, pictures, labels, weights or sides.
    """
    table, columns, found = rows(source, wanted)
    if columns.label is None and table.names == (columns.picture,):
        raise media_columns.no_labels(choosing.PICTURES, table, "cats/1.png, dogs/1.png")
    held = None
    if test is not None:
        held, other, more = rows(test, wanted)
        found += more
        label = settle(table, columns).columns.label
        held = media_rows.called(held, other, replace(columns, label=label), _unnamed(test))
    reading = text_reading.learned(table, columns, held)
    said = [] if wanted.picture else [choosing.proof(table, str(columns.picture))]
    return replace(reading, guesses=(*said, *reading.guesses), findings=(*found, *reading.findings))


def judged(
    source: Any, wanted: Columns, names: tuple[str, ...], *, new_labels: bool = False
) -> Reading:
    """Pictures that a model with the labels ``names`` is judged by; see `text_reading.judged`."""
    table, columns, found = rows(source, wanted)
    table = media_rows.called(table, columns, wanted, _unnamed(source))
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
        media_rows.checked(table, column, glimpses.of, formats.missing)
        yield table, joining.inputs(table, Columns(picture=column))


def rows(source: Any, wanted: Columns) -> tuple[Table, Columns, list[Finding]]:
    """Rows whose pictures can all be decoded, the columns with that of the pictures, and what is
    left out."""
    if wanted.text or wanted.template is not None:
        raise media_columns.no_texts(choosing.PICTURES, wanted)
    table, column = sources.read(source, wanted.picture)
    found = sources.unread(source)
    table, broken = media_rows.whole(table, column, glimpses.of, "picture", _REFUSED)
    return table, replace(wanted, picture=column), [*found, *broken]


def _unnamed(source: Any) -> str | None:
    """The column of labels that nobody named."""
    return folders.LABEL if sources.nameless(source) else None


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
