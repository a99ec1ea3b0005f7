"""Which column is what: as the person says, otherwise guessed with the proof beside it.

A guess is made only where one column stands out; where two are equally good, the person is
asked. Columns that were named are never second-guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from supertune.contracts import Columns
from supertune.data import column_names, joining
from supertune.data.cells import as_label, counted, is_empty, is_list, listed
from supertune.data.nearest import missing_column
from supertune.data.profiles import Profile, profile
from supertune.data.table import Table
from supertune.errors import InputError

_CLEAR = 1.25  # times the runner-up's score, and a guess stands
_MOST_LABELS = 50  # different values of a column that is not even called like a label


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
    if columns.split is None and (found := _split(table, free)) is not None:
        columns = replace(columns, split=found.name)
        values = sorted({as_label(cell) for cell in table.values[found.name] if cell is not None})
        guesses.append(f"split: column '{found.name}' ({listed(values)})")
        free.remove(found)
    if not columns.text:
        texts = _texts(table, free, pair=columns.pair, label=columns.label)
        columns = replace(columns, text=tuple(one.name for one in texts))
        guesses += [_text_proof(one) for one in texts]
        free = [one for one in free if one not in texts]
    if columns.label is None:
        found = _label(table, free)
        columns = replace(columns, label=found.name)
        guesses.append(_label_proof(table, found))
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
    texts = _texts(table, _free_profiles(table, wanted), pair=wanted.pair, label=wanted.label)
    return replace(wanted, text=tuple(one.name for one in texts))


def has_places(source: object, table: Table) -> bool:
    """Whether ``table`` came from a list of texts or pairs, whose columns nobody named."""
    listing = isinstance(source, Iterable) and not isinstance(source, str | Mapping)
    frame = hasattr(source, "columns") or hasattr(source, "column_names")
    return listing and not frame and table.names in (("text",), ("text", "label"))


def by_place(table: Table, wanted: Columns) -> Columns:
    """What is wanted of a list of texts or pairs, where it was named after another source."""
    named = {*wanted.text, wanted.label} - {None}
    if not named or named & {*table.names} or wanted.template is not None:
        return wanted
    label = "label" if "label" in table.values else None
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
    read = joining.fields(wanted.template) if wanted.template else wanted.text
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


# --- text -------------------------------------------------------------------------------------


def _texts(
    table: Table, free: Sequence[Profile], *, pair: bool, label: str | None
) -> list[Profile]:
    """The column that reads most like text; both, for a pair."""
    scored = sorted(
        ((score, one) for one in free if (score := _text_score(one, label is None)) > 0),
        key=lambda item: -item[0],
    )
    if pair and len(scored) >= 2:
        order = {one.name: place for place, one in enumerate(free)}
        return sorted((one for _, one in scored[:2]), key=lambda one: order[one.name])
    if not scored:
        raise InputError(
            "no_text_column",
            f"No column of {table.source} looks like text.",
            received=f"columns {listed(table.names, 30)}",
            allowed="a column of sentences or longer texts",
            next="Name it with --text NAME.",
        )
    if len(scored) > 1 and scored[0][0] < _CLEAR * scored[1][0]:
        close = [one.name for score, one in scored if scored[0][0] < _CLEAR * score]
        raise _ambiguous(table, "text", close, "or join several: --text FIRST --text SECOND")
    return [scored[0][1]]


def _text_score(one: Profile, label_open: bool) -> float:
    """Characters to read a row, as far as they differ; 0 for what cannot be the text."""
    called = column_names.is_exactly(one.name, column_names.TEXT)
    if not one.rows or one.numbers > 0.9 or one.times > 0.9:
        return 0.0
    if column_names.is_exactly(one.name, column_names.LABEL) and label_open:
        return 0.0
    if not called and column_names.has_word(one.name, column_names.NEVER):
        return 0.0
    if not called and (one.codes > 0.9 or (one.prose < 0.5 and one.variety <= 0.5)):
        return 0.0
    hint = 3.0 if called else 1.5 if column_names.has_word(one.name, column_names.TEXT) else 1.0
    return one.length * one.variety * hint * (1.0 if one.prose >= 0.5 else 0.2)


def _text_proof(one: Profile) -> str:
    alike = "all different" if one.distinct == one.rows else f"{one.distinct:,} different"
    return (
        f"text: column '{one.name}' (mean {one.length:,.0f} characters, {alike}, "
        f"{counted(one.rows, 'row')})"
    )


# --- label ------------------------------------------------------------------------------------


def _label(table: Table, free: Sequence[Profile]) -> Profile:
    """The column that is called like an answer, or the only one that looks like one."""
    for tier in _TIERS:
        found = [one for one in free if tier(one)]
        if len(found) == 1:
            return found[0]
        if found:
            raise _ambiguous(table, "label", [one.name for one in found])
    raise InputError(
        "no_label_column",
        f"No column of {table.source} looks like a label.",
        received=f"columns {listed(table.names, 30)}",
        allowed="a column of few values that repeat, such as positive and negative",
        next="Name it with --label NAME.",
    )


def _looks_like_label(one: Profile) -> bool:
    """Few short values that repeat."""
    if one.lists > 0.9:
        return one.rows > 0
    few = 2 <= one.distinct <= _MOST_LABELS and 2 * one.distinct <= one.rows
    if one.times > 0.9 or one.length > 60 or not few:
        return False
    return one.numbers < 0.9 or one.distinct <= 10


_TIERS: tuple[Callable[[Profile], bool], ...] = (
    lambda one: one.rows > 0 and column_names.is_exactly(one.name, column_names.LABEL),
    lambda one: one.variety < 1 and column_names.is_exactly(one.name, column_names.LABEL_LIKE),
    lambda one: (
        _looks_like_label(one)
        and column_names.has_word(one.name, column_names.LABEL | column_names.LABEL_LIKE)
        and not column_names.has_word(one.name, column_names.NEVER)
    ),
    lambda one: _looks_like_label(one) and not column_names.has_word(one.name, column_names.NEVER),
)


def _label_proof(table: Table, one: Profile) -> str:
    if one.lists > 0.9:
        return f"label: column '{one.name}' (a list of labels a row, {counted(one.rows, 'row')})"
    values = sorted({as_label(cell) for cell in table.values[one.name] if not _void(cell)})
    quoted = listed([value if len(value) <= 30 else value[:29] + "…" for value in values], 6)
    return f"label: column '{one.name}' ({counted(one.distinct, 'value')}: {quoted})"


def _void(cell: object) -> bool:
    return not is_list(cell) and is_empty(cell)


# --- split ------------------------------------------------------------------------------------


def _split(table: Table, free: Sequence[Profile]) -> Profile | None:
    """A column called split (set, subset) in which each row is train or test."""
    from supertune.data.sides import SPLIT_VALUES

    for one in free:
        if column_names.is_exactly(one.name, column_names.SPLIT) and one.rows == len(table):
            sides = {SPLIT_VALUES.get(as_label(v).casefold()) for v in table.values[one.name]}
            if {"train", "test"} <= sides and None not in sides:
                return one
    return None


def _ambiguous(table: Table, role: str, names: Sequence[str], also: str = "") -> InputError:
    return InputError(
        "ambiguous_columns",
        f"Several columns of {table.source} could be the {role}.",
        received=listed(list(names), 30),
        allowed="one of them",
        next=f"Name it with --{role} NAME, for example --{role} {names[0]}"
        + (f"; {also}." if also else "."),
    )
