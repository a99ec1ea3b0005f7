"""A table of items as a catalogue: ids, titles, texts for a backbone to read, categories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from supertune.contracts import Catalogue, Columns, Finding, FloatArray
from supertune.data import column_names
from supertune.data.cells import as_label, as_number, counted, is_empty, is_list, listed, shown
from supertune.data.interactions.columns import item_columns
from supertune.data.table import Table
from supertune.errors import InputError

MANY = 200  # different words of a column, beyond which they are no categories


def catalogue(table: Table, key: str, wanted: Columns) -> tuple[Catalogue, list[str]]:
    """The items of a table in the order of their ids, and how its columns were understood.

    Raises:
        InputError: ``item_id_missing``, ``item_id_empty``, ``item_twice``,
            ``text_column_missing``.
    """
    name, texts = item_columns(table, key, wanted)
    ids = [as_label(cell) if not is_empty(cell) else "" for cell in table.values[name]]
    _check_ids(table, name, ids)
    order = sorted(range(len(ids)), key=ids.__getitem__)
    columns = [table.values[one] for one in texts]
    kinds = [one for one in texts if column_names.is_exactly(one, column_names.CATEGORY)]
    split = [_categories(table.values[one]) for one in kinds]
    made = Catalogue(
        tuple(ids[i] for i in order),
        tuple(_said([column[i] for column in columns]) for i in order),
        tuple((_said([columns[0][i]]) if columns else "") or ids[i] for i in order),
        tuple(tuple(word for each in split for word in each[i]) for i in order),
        _years(table, texts)[order],
    )
    said = [f"items: {counted(len(ids), 'item')} of {table.source}"]
    said += [f"item text: {listed(list(texts), 12)}"] if texts else []
    said += [f"categories: column '{one}'" for one in kinds]
    return made, said


def bare(ids: Sequence[str]) -> Catalogue:
    """Items of which nothing is known but that they were touched."""
    names = tuple(sorted(ids))
    none = np.full(len(names), np.nan)
    return Catalogue(names, ("",) * len(names), names, ((),) * len(names), none)


def with_unknown(known: Catalogue, ids: Sequence[str]) -> Catalogue:
    """The catalogue with items besides, of which nothing is said."""
    extra = bare(ids)
    rows = sorted(
        [
            row
            for some in (known, extra)
            for row in zip(
                some.ids, some.texts, some.titles, some.categories, some.years, strict=True
            )
        ]
    )
    one, two, three, four, five = (tuple(column) for column in zip(*rows, strict=True))
    return Catalogue(one, two, three, four, np.array(five))


def without_text(found: Catalogue) -> list[Finding]:
    """What is said of items that nothing is said of."""
    silent = [name for name, text in zip(found.ids, found.texts, strict=True) if not text]
    if not silent or len(silent) == len(found):
        return []
    message = (
        f"{counted(len(silent), 'item')} without a text ({listed(silent, 5)}): only what people "
        "did with them can say anything of them."
    )
    return [Finding("items_without_text", message)]


def _check_ids(table: Table, name: str, ids: Sequence[str]) -> None:
    for i, one in enumerate(ids):
        if not one:
            raise InputError(
                "item_id_empty",
                f"An item of {table.source} has no id.",
                received=f"row {table.rows[i]}, column '{name}': {shown(table.values[name][i])}",
                allowed="an id in each row",
                next="Fill it in, or take the row out.",
            )
    first: dict[str, int] = {}
    for i, one in enumerate(ids):
        if first.setdefault(one, i) != i:
            raise InputError(
                "item_twice",
                f"Two items of {table.source} have the same id.",
                received=f"'{one}' in rows {table.rows[first[one]]} and {table.rows[i]}, column "
                f"'{name}'",
                allowed="one row an item",
                next="Take one of them out, or join them.",
            )


def _years(table: Table, texts: Sequence[str]) -> FloatArray:
    """(I,) what the first column of years says."""
    found = np.full(len(table), np.nan)
    for name in texts:
        if "year" in name.lower():
            numbers = [as_number(cell) for cell in table.values[name]]
            return np.array([np.nan if one is None else one for one in numbers])
    return found


def _said(cells: Sequence[Any]) -> str:
    texts = [
        " ".join(map(str, cell)) if is_list(cell) else str(cell).strip()
        for cell in cells
        if is_list(cell) or not is_empty(cell)
    ]
    return ", ".join(text for text in texts if text)


def _categories(cells: Sequence[Any]) -> list[tuple[str, ...]]:
    """The categories of each cell: a list, parts between bars, semicolons or commas, or words
    where these are few and come again."""
    if any(is_list(cell) for cell in cells):
        return [tuple(map(str, cell)) if is_list(cell) else () for cell in cells]
    texts = ["" if is_empty(cell) else str(cell) for cell in cells]
    for sign in ("|", ";", ","):
        if any(sign in text for text in texts):
            return [_parts(text, re.escape(sign)) for text in texts]
    words = [_parts(text, r"\s") for text in texts]
    several = {word for some in words for word in some}
    if len(several) <= MANY and 2 * len(several) <= sum(map(len, words)):
        return words
    return [(text.strip(),) if text.strip() else () for text in texts]


def _parts(text: str, sign: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(sign, text) if part.strip())
