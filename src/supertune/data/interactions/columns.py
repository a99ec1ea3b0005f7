"""Which column of interactions says who, with what, when and how much; what items are told by.

Columns are guessed by their names, else by their cells, with the proof beside the guess. Where
two are equally good the person is asked; what was named is never second-guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from supertune.contracts import Columns
from supertune.data import column_names
from supertune.data.cells import as_label, as_number, as_time, counted, is_empty, listed
from supertune.data.nearest import missing_column
from supertune.data.table import Table
from supertune.errors import InputError

WORTH = 3  # characters a cell on average, below which a column says nothing of an item


@dataclass(frozen=True)
class Settled:
    """Columns with nothing left to guess, and the guesses, in sentences."""

    columns: Columns
    guesses: tuple[str, ...]


def settle(table: Table, wanted: Columns, items: Table | None) -> Settled:
    """Who, with what, and when and how much where a column says so.

    Raises:
        InputError: ``user_column_missing`` (``item_``, ``time_``, ``label_``), ``column_twice``,
            ``no_user_column``, ``no_item_column``, ``ambiguous_columns``.
    """
    for role in ("user", "item", "time", "label", "weight"):
        name = getattr(wanted, role)
        if name is not None and name not in table.values:
            raise missing_column(table, name, role, next_step=f"--{role} {{name}}")
    found, guesses = wanted, []
    user = found.user or _named(table, column_names.USER, "user", taken=(found.item,))
    item = (
        found.item
        or _named(table, column_names.ITEM, "item", taken=(user,))
        or _shared(table, items, user)
    )
    if user is None or item is None:
        raise _nothing(table, "user" if user is None else "item")
    if user == item:
        raise InputError(
            "column_twice",
            f"Column '{user}' is named as user and as item.",
            received=user,
            allowed=listed([name for name in table.names if name != user], 30),
            next="Name another column for one of them with --user NAME or --item NAME.",
        )
    if found.user is None:
        guesses.append(_proof(table, user, "user", "person", "people"))
    if found.item is None:
        guesses.append(_proof(table, item, "item", "item", "items"))
    time = found.time or _named(
        table, column_names.MOMENT, "time", taken=(user, item), needed=False
    )
    rating = found.label or _named(
        table, column_names.RATING, "label", taken=(user, item), needed=False
    )
    if found.time is None and time is not None:
        guesses.append(f"time: column '{time}' (first cell: {table.values[time][0]})")
    if found.label is None and rating is not None:
        guesses.append(f"rating: column '{rating}' (kept beside; every row counts as liked)")
    return Settled(replace(found, user=user, item=item, time=time, label=rating), tuple(guesses))


def _named(
    table: Table,
    names: frozenset[str],
    role: str,
    *,
    taken: Sequence[str | None] = (),
    needed: bool = True,
) -> str | None:
    found = [name for name in table.names if name not in taken and name.strip().lower() in names]
    if len(found) <= 1:
        return found[0] if found else None
    if not needed:
        return None
    raise InputError(
        "ambiguous_columns",
        f"Several columns of {table.source} could be the {role}.",
        received=listed(found, 30),
        allowed="one of them",
        next=f"Name it with --{role} NAME, for example --{role} {found[0]}.",
    )


def _shared(table: Table, items: Table | None, user: str | None) -> str | None:
    """The only column whose cells are those of a column of the items."""
    if items is None:
        return None
    known = {as_label(c) for c in next(iter(items.values.values())) if not is_empty(c)}
    found = []
    for name, cells in table.values.items():
        held = [as_label(cell) for cell in cells[:1000] if not is_empty(cell)]
        if name != user and held and sum(cell in known for cell in held) > 0.9 * len(held):
            found.append(name)
    return found[0] if len(found) == 1 else None


def _nothing(table: Table, role: str) -> InputError:
    said = {"user": "who did something", "item": "with which item"}[role]
    return InputError(
        f"no_{role}_column",
        f"No column of {table.source} is called like the {role}: {said}.",
        received=f"columns {listed(table.names, 30)}",
        allowed=f"a column such as {role}_id",
        next=f"Name it with --{role} NAME.",
    )


def _proof(table: Table, name: str, role: str, noun: str, many: str) -> str:
    distinct = len({as_label(cell) for cell in table.values[name] if not is_empty(cell)})
    each = len(table) / max(1, distinct)
    return (
        f"{role}: column '{name}' ({counted(distinct, noun, many)}, {each:,.1f} rows each on "
        "average)"
    )


# --- items ------------------------------------------------------------------------------------


def item_columns(table: Table, key: str, wanted: Columns) -> tuple[str, tuple[str, ...]]:
    """The column of the items' ids, and those that say something of an item, the title first.

    Raises:
        InputError: ``item_id_missing``, ``text_column_missing``.
    """
    name = (
        key
        if key in table.values
        else _named(table, column_names.ITEM | {"id"}, "item", needed=False)
    )
    if name is None:
        raise InputError(
            "item_id_missing",
            f"{table.source} does not say which item a row is about.",
            received=f"columns {listed(table.names, 30)}",
            allowed=f"a column '{key}', as the interactions have",
            next=f"Rename the column of ids to '{key}'.",
        )
    for one in wanted.text:
        if one not in table.values:
            raise missing_column(table, one, "text", next_step="--text {name}")
    if wanted.text:
        return name, wanted.text
    free = [one for one in table.names if one != name]
    texts = [one for one in free if _says_something(table, one)]
    texts.sort(key=lambda one: not _titled(one))
    return name, tuple(texts)


def _titled(name: str) -> bool:
    words = set(name.lower().replace("-", "_").split("_"))
    return bool(words & {"title", "name", "titel", "titre", "nombre", "名称"})


def _says_something(table: Table, name: str) -> bool:
    if column_names.has_word(name, frozenset({"url", "image", "picture", "path", "link"})):
        return False
    held = [cell for cell in table.values[name][:500] if not is_empty(cell)]
    # A year says something, a price or a date of upload little that words could carry.
    numbers = sum(as_number(cell) is not None for cell in held)
    if held and numbers > 0.9 * len(held):
        return "year" in name.lower()
    dates = sum(as_time(cell) is not None for cell in held)
    if not held or dates > 0.9 * len(held):
        return False
    return sum(len(str(cell)) for cell in held) >= WORTH * len(held)
