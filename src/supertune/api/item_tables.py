"""A table of items with texts and pictures, and those that are most like one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from supertune.api.neighbouring import (
    PICTURE_BACKBONE,
    TEXT_BACKBONE,
    check_weight,
    similar_items,
    viewed,
)
from supertune.contracts import Catalogue, Columns, Picture, Recommending
from supertune.data import column_names
from supertune.data.cells import as_label, is_empty, listed
from supertune.data.interactions import sources
from supertune.data.interactions.columns import item_columns
from supertune.data.interactions.items import catalogue
from supertune.data.pictures import cells, formats
from supertune.data.pictures import sources as picture_sources
from supertune.data.table import Table
from supertune.errors import InputError
from supertune.model import Model
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


def similar_with(
    model: Model,
    item: str,
    items: Any,
    *,
    picture: str | None = None,
    weight: float = 0.5,
    picture_backbone: str = PICTURE_BACKBONE,
    **how: Any,
) -> list[dict[str, Any]]:
    """The items nearest to one by what a model of recommendation knows of them and by what they
    look like: (1 - weight) times its cosine plus weight times that of the pictures, where both
    items have one.

    Args:
        items: the table of the model's items, with a column of pictures; ids are found as in
            `similar_in`.
        picture: the column; one that is called so unless it is named.
        how: ``top``, ``exclude`` and ``category``, as `Model.similar` has them.

    Raises:
        InputError: ``no_recommender``, ``no_pictures``, ``bad_weight``, ``wrong_backbone``, what is
            wrong with the file, and as `Model.similar`.
    """
    check_weight(weight)
    if not isinstance(model.tuned, Recommending):
        return model.similar(item)  # which refuses
    known = model.tuned.catalogue
    table, pictures = _read(items, picture)
    names = table.values[item_columns(table, "item_id", Columns())[0]]
    shown = {as_label(name): one for name, one in zip(names, pictures, strict=True)}
    given = [shown.get(name) for name in known.ids]
    view = viewed(model.workshop, picture_backbone, "image", given)
    if view is None:
        raise InputError(
            "no_pictures",
            f"{table.source} shows none of the items that the model knows.",
            received=f"columns {listed(table.names, 20)}",
            allowed="a column of pictures, and the ids that the model was fitted on",
            next="Name the column with --picture NAME, or leave --items out.",
        )
    own = view[place_of(known, item)]
    seen = np.asarray(view @ own, dtype=np.float64)
    seen[~view.any(axis=1) if own.any() else slice(None)] = np.nan
    return model.similar(item, seen=seen, weight=weight, **how)


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
