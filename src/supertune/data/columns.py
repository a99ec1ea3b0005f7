"""Which column is what: as the person says, otherwise guessed with the proof beside it.

A guess is made only where one column stands out; where two are equally good, the person is
asked. Columns that were named are never second-guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from supertune.contracts import Columns
from supertune.data import column_guesses, joining
from supertune.data.cells import as_label, listed
from supertune.data.nearest import missing_column
from supertune.data.profiles import Profile, profile
from supertune.data.table import Table
from supertune.data.templates import fields
from supertune.errors import InputError


@dataclass(frozen=True)
class Settled:
    """Columns with nothing left to guess, and the guesses that were made, in sentences."""

    columns: Columns
    guesses: tuple[str, ...]


def settle(table: Table, wanted: Columns) -> Settled:
    """Check the columns that were named and find the text and the label where they were not.

    Raises:
        InputError: ``text_column_missing`` (``label_``, ``split_`` ...) with the nearest name,
            ``bad_template``, ``pair_needs_two_columns``, ``column_twice``, ``ambiguous_columns``,
            ``no_text_column``, ``no_label_column``.
    """
    check_named(table, wanted)
    columns, guesses = wanted, []
    if columns.template is not None and not columns.pair:
        columns = replace(columns, text=joining.settle_template(columns, table))
    free = _free_profiles(table, columns)
    if columns.split is None and (found := column_guesses.split(table, free)) is not None:
        columns = replace(columns, split=found.name)
        values = sorted({as_label(cell) for cell in table.values[found.name] if cell is not None})
        guesses.append(f"split: column '{found.name}' ({listed(values)})")
        free.remove(found)
    if not columns.text:
        texts = column_guesses.texts(
            table, free, pair=columns.pair, label_open=columns.label is None
        )
        columns = replace(columns, text=tuple(one.name for one in texts))
        guesses += [column_guesses.text_proof(one) for one in texts]
        free = [one for one in free if one not in texts]
    if columns.label is None:
        found = column_guesses.label(table, free)
        columns = replace(columns, label=found.name)
        guesses.append(column_guesses.label_proof(table, found))
    _check_pair(columns)
    return Settled(columns, tuple(guesses))


def text_columns(table: Table, wanted: Columns) -> Columns:
    """The same for rows that are only to be read: no other column is needed or looked for.

    Raises:
        InputError: ``text_column_missing``, ``ambiguous_columns``, ``no_text_column``.
    """
    for name in wanted.text:
        if name not in table.values:
            raise missing_column(table, name, "text", next_step="--text {name}")
    if wanted.template is not None and not wanted.pair:
        return replace(wanted, text=joining.settle_template(wanted, table))
    if wanted.text:
        return wanted
    if "text" in table.values:
        return replace(wanted, text=("text",))
    if len(table.names) == 1:
        return replace(wanted, text=table.names)
    free = _free_profiles(table, wanted)
    texts = column_guesses.texts(table, free, pair=wanted.pair, label_open=wanted.label is None)
    return replace(wanted, text=tuple(one.name for one in texts))


def has_places(source: object, table: Table) -> bool:
    """Whether ``table`` came from a list of texts or pairs, whose columns nobody named."""
    listing = isinstance(source, Iterable) and not isinstance(source, str | Mapping)
    named = hasattr(source, "columns") or hasattr(source, "column_names")
    if isinstance(source, Sequence) and len(source):
        named = named or isinstance(source[0], Mapping)
    return listing and not named and table.names in (("text",), ("text", "label"))


def by_place(table: Table, wanted: Columns) -> Columns:
    """What is meant in a list of texts or pairs, also where it was named after another source."""
    named = {*wanted.text, wanted.label} - {None}
    if named & {*table.names} or wanted.template is not None or wanted.pair:
        return wanted
    label = "label" if "label" in table.values else None
    if not named:
        return replace(wanted, text=("text",), label=label)
    return Columns(("text",), label, separator=wanted.separator)


def check_named(table: Table, wanted: Columns) -> None:
    """Refuse names that the table does not have, and a label that is also read as text."""
    named = [("text", name) for name in wanted.text]
    for role in ("label", "split", "group", "time", "weight"):
        name = getattr(wanted, role)
        named += [] if name is None else [(role, name)]
    named += [("slice", name) for name in wanted.slices]
    for role, name in named:
        if name not in table.values:
            raise missing_column(table, name, role, next_step=f"--{role} {{name}}")
    read = fields(wanted.template) if wanted.template else wanted.text
    if wanted.label is not None and wanted.label in read:
        raise InputError(
            "column_twice",
            f"Column '{wanted.label}' is named as text and as label.",
            received=wanted.label,
            allowed=listed([name for name in table.names if name != wanted.label], 30),
            next="Name another column for one of them.",
        )
    if len(set(wanted.text)) < len(wanted.text):
        raise InputError(
            "column_twice",
            "A text column is named twice.",
            received=", ".join(wanted.text),
            allowed="each column once",
            next="Leave one of them out.",
        )


def _check_pair(columns: Columns) -> None:
    if columns.pair and (len(columns.text) != 2 or columns.template is not None):
        raise InputError(
            "pair_needs_two_columns",
            "A text pair takes exactly two text columns and no template.",
            received=", ".join(columns.text) + (" and a template" if columns.template else ""),
            allowed="two columns",
            next="Give --text FIRST --text SECOND, or leave pair out to join them.",
        )


def _free_profiles(table: Table, columns: Columns) -> list[Profile]:
    """Profiles of the columns that have no meaning yet, if any meaning is still missing."""
    if columns.text and columns.label is not None and columns.split is not None:
        return []
    named = {columns.label, columns.split, columns.group, columns.time, columns.weight}
    taken = named | {*columns.text, *columns.slices}
    return [profile(name, cells) for name, cells in table.values.items() if name not in taken]
