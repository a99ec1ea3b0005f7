"""A table of items with texts and pictures, and those that are most like one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from supertune.api.neighbouring import PICTURE_BACKBONE, TEXT_BACKBONE, similar_items
from supertune.contracts import Catalogue, Columns, Picture
from supertune.data import column_names
from supertune.data.cells import as_label, is_empty
from supertune.data.interactions import sources
from supertune.data.interactions.columns import item_columns
from supertune.data.interactions.items import catalogue
from supertune.data.pictures import cells, formats
from supertune.data.pictures import sources as picture_sources
from supertune.data.table import Table
from supertune.recommending import check_categories, place_of


def similar_in(
    source: Any,
    item: str,
    *,
    text: Sequence[str] = (),
    picture: str | None = None,
    id_column: str = "item_id",
    top: int = 10,
    exclude: Sequence[str] = (),
    category: Sequence[str] = (),
    weight: float = 0.5,
    text_backbone: str = TEXT_BACKBONE,
    picture_backbone: str = PICTURE_BACKBONE,
    device: str = "auto",
    threads: int | None = None,
) -> list[dict[str, Any]]:
    """The items of a table nearest to one, as `supertune.similar_items` finds them, each with its
    ``title`` and ``categories`` beside.

    Args:
        source: a file or a frame, a row an item.
        item: by its id or its title.
        text: columns of texts; those that say something unless any is named.
        picture: the column of pictures; one that is called so unless it is named.
        id_column: the column of ids; one that is called so where there is no such column.
        exclude: items that are not listed.
        category: only items of one of these.

    Raises:
        InputError: as `supertune.similar_items`; ``item_id_missing``, ``text_column_missing``,
            ``picture_column_missing``, ``ambiguous_item``, ``unknown_category`` and what is wrong
            with the file.
    """
    table, pictures = _read(source, picture)
    wanted = Columns(text=tuple(text))
    known, _ = catalogue(table, id_column, wanted)
    names = table.values[item_columns(table, id_column, wanted)[0]]
    shown = {as_label(name): one for name, one in zip(names, pictures, strict=True)}
    one = known.ids[place_of(known, item)]
    left = {one, *(known.ids[place_of(known, name)] for name in exclude)}
    check_categories(known, category)
    narrowed = len(left) > 1 or bool(category)
    near = similar_items(
        known.ids,
        texts=known.texts,
        pictures=[shown[name] for name in known.ids],
        of=one,
        top=max(top, len(known)) if narrowed and top > 0 else top,
        weight=weight,
        text_backbone=text_backbone,
        picture_backbone=picture_backbone,
        device=device,
        threads=threads,
    )[one]
    told = (_named(known, each) for each in near if each["item"] not in left)
    kept = [each for each in told if not category or {*category} & {*each["categories"]}]
    return [{**each, "rank": rank} for rank, each in enumerate(kept[:top], 1)]


def _named(known: Catalogue, near: Mapping[str, Any]) -> dict[str, Any]:
    place = known.place[near["item"]]
    return {**near, "title": known.titles[place], "categories": list(known.categories[place])}


def _read(source: Any, picture: str | None) -> tuple[Table, list[Picture | None]]:
    """The table without its pictures, and those of each row."""
    table = sources.read(source)
    found = picture or next((one for one in table.names if _shows(table, one)), None)
    if found is None:
        return table, [None] * len(table)
    table, column = picture_sources.read(source, found)
    values = {name: held for name, held in table.values.items() if name != column}
    return sources.plain(replace(table, values=values)), list(table.values[column])


def _shows(table: Table, name: str) -> bool:
    """Whether a column that nobody named holds pictures of this machine."""
    if not column_names.is_exactly(name, column_names.PICTURE):
        return False
    first = next((cell for cell in table.values[name] if not is_empty(cell)), None)
    if isinstance(first, str):
        return "://" not in first and formats.is_named_so(first)
    return cells.is_picture(first)
