"""One input a row out of one column or several: alone, joined by a template, or as a pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supertune.contracts import Columns, Input, Medium, fields_of
from supertune.data.cells import as_text, is_empty, is_list, shown
from supertune.data.nearest import missing_column
from supertune.data.table import Table
from supertune.data.templates import asks, by_place, fields, ordered, parts, shows_one
from supertune.errors import InputError


def inputs(table: Table, columns: Columns) -> tuple[Input, ...]:
    """What a model reads of each row: a picture, a recording, a text, or a tuple of texts for a
    pair and for a prompt that shows several columns. Without a picture it is an empty text.

    Several columns without a template are joined by a line break, empty cells left out.
    ``columns`` is settled: its text columns are in the table.

    Raises:
        InputError: ``bad_text`` for a cell that is no text, ``mixed_texts``.
    """
    if columns.medium is not None:
        return tuple("" if cell is None else cell for cell in table.values[columns.medium])
    cells = [table.values[name] for name in columns.text]
    widths = [
        _width(table, name, column, several=len(cells) == 1)
        for name, column in zip(columns.text, cells, strict=True)
    ]
    asked = asks(columns.template)
    apart = asked and len(cells) > 1 and not shows_one(str(columns.template))
    if columns.pair or apart:
        return tuple(zip(*([as_text(cell) for cell in column] for column in cells), strict=True))
    if columns.template is not None and not asked:
        return _filled(columns.template, columns.text, cells)
    if len(cells) == 1:
        return tuple(_single(cell, widths[0]) for cell in cells[0])
    return tuple(
        "\n".join(as_text(cell) for cell in row if not is_empty(cell))
        for row in zip(*cells, strict=True)
    )


def is_blank(value: Input) -> bool:
    """Whether there is nothing to read; in a pair, in both of its texts."""
    return all(map(is_empty, fields_of(value)))


def as_one(value: Input) -> str:
    """An input as one text, to be looked at or compared; of a medium there is none."""
    return "\n".join("" if isinstance(part, Medium) else str(part) for part in fields_of(value))


def _width(table: Table, name: str, cells: Sequence[Any], *, several: bool) -> int:
    """How many texts each cell holds: 1, or more where all are lists of as many texts."""
    width: int | None = None
    for row, cell in zip(table.rows, cells, strict=True):
        if is_list(cell) and not len(cell):
            continue
        if is_list(cell) and several and all(isinstance(part, str) for part in cell):
            found = len(cell)
        elif isinstance(cell, dict | bytes) or is_list(cell):
            raise _bad_text("bad_text", table, name, int(row), cell)
        elif is_empty(cell):
            continue
        else:
            found = 1
        if width not in (None, found):
            raise _bad_text("mixed_texts", table, name, int(row), cell)
        width = found
    return width or 1


def _bad_text(code: str, table: Table, name: str, row: int, cell: Any) -> InputError:
    why = "is no text" if code == "bad_text" else "is not of the same kind as those before it"
    return InputError(
        code,
        f"A cell of column '{name}' of {table.source} {why}.",
        received=f"row {row}, column '{name}': {type(cell).__name__} {shown(cell)}",
        allowed="texts in all rows, or tuples of as many texts in all rows",
        next="Correct the row, or name another column with --text NAME.",
    )


def _single(cell: Any, width: int) -> Input:
    parts = tuple(map(as_text, cell)) if is_list(cell) else (as_text(cell),)
    if width > 1:
        return parts if len(parts) == width else ("",) * width
    return parts[0] if parts else ""


def _filled(
    template: str, names: tuple[str, ...], cells: Sequence[Sequence[Any]]
) -> tuple[str, ...]:
    made = parts(template)
    place = {name: i for i, name in enumerate(names)}
    found = []
    for row in zip(*cells, strict=True):
        texts = [as_text(cell) for cell in row]
        whole = "".join(
            part.literal + ("" if part.name is None else texts[place[part.name]]) for part in made
        )
        # A row without any text has nothing to read, whatever the template puts around it.
        found.append(whole if any(map(str.strip, texts)) else "")
    return tuple(found)


def settle_template(columns: Columns, table: Table) -> tuple[str, ...]:
    """The text columns of a template: those it names, and for a prompt those that were named
    beside it; none where a prompt leaves them to be guessed.

    Raises:
        InputError: ``bad_template``, ``template_column_missing`` or, when a column was named
            that a template without an answer leaves out, ``template_leaves_out``.
    """
    assert columns.template is not None
    if asks(columns.template):
        return _asked_of(columns, columns.template, table)
    named = fields(columns.template)
    if not named:
        raise InputError(
            "bad_template",
            "The template cannot be used: it names no column.",
            received=columns.template,
            allowed="'{title}. {body}'; {{ and }} for braces themselves",
            next="Put names of text columns into single braces.",
        )
    _check_there(named, table)
    unused = [name for name in columns.text if name not in named]
    if unused:
        raise InputError(
            "template_leaves_out",
            "The template leaves out a text column.",
            received=f"template {columns.template!r}, text {', '.join(columns.text)}",
            allowed="a template that names each text column",
            next=f"Put {{{unused[0]}}} into the template, or do not name it as text.",
        )
    return named


def _asked_of(columns: Columns, template: str, table: Table) -> tuple[str, ...]:
    names = ordered(template, columns.text)
    if not columns.text and by_place(template) and not set(names) <= {*table.values}:
        return ()
    _check_there(names, table)
    return names


def _check_there(names: Sequence[str], table: Table) -> None:
    for name in names:
        if name not in table.values:
            raise missing_column(table, name, "template", next_step="{name}")
