"""Which columns are probably the text, the label and the split, with the proof in figures.

A guess is made only where one column stands out; where two are equally good, the person is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from supertune.data import column_names
from supertune.data.cells import as_label, counted, is_empty, is_list, listed
from supertune.data.profiles import Profile
from supertune.data.sides import SPLIT_VALUES
from supertune.data.table import Table
from supertune.errors import InputError

_CLEAR = 1.25  # times the runner-up's score, and a guess stands
_MOST_LABELS = 50  # different values of a column that is not even called like a label


# --- text -------------------------------------------------------------------------------------


def texts(table: Table, free: Sequence[Profile], *, pair: bool, label_open: bool) -> list[Profile]:
    """The column that reads most like text; both, for a pair."""
    # A column that is empty in most rows is a remark, however long.
    full = [one for one in free if 2 * one.rows >= len(table)]
    scored = sorted(
        ((score, one) for one in full if (score := _text_score(one, label_open)) > 0),
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
    """Characters to read in a cell, as far as they differ; 0 for what cannot be the text."""
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


def text_proof(one: Profile) -> str:
    alike = "all different" if one.distinct == one.rows else f"{one.distinct:,} different"
    return (
        f"text: column '{one.name}' (mean {one.length:,.0f} characters, {alike}, "
        f"{counted(one.rows, 'row')})"
    )


# --- label ------------------------------------------------------------------------------------


def label(table: Table, free: Sequence[Profile]) -> Profile:
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


def _called_label(one: Profile) -> bool:
    return one.rows > 0 and column_names.is_exactly(one.name, column_names.LABEL)


def _called_alike(one: Profile) -> bool:
    """A name that answers often have, and values that repeat; many numbers are a measurement."""
    named = column_names.is_exactly(one.name, column_names.LABEL_LIKE)
    return named and one.variety < 1 and (one.numbers < 0.9 or one.distinct <= 20)


def _called_in_part(one: Profile) -> bool:
    named = column_names.has_word(one.name, column_names.LABEL | column_names.LABEL_LIKE)
    return named and _looks_like_label(one)


def _not_excluded(one: Profile) -> bool:
    return not column_names.has_word(one.name, column_names.NEVER)


# The first of these that any column meets decides, and then a single column has to meet it.
_TIERS: tuple[Callable[[Profile], bool], ...] = (
    _called_label,
    _called_alike,
    lambda one: _called_in_part(one) and _not_excluded(one),
    _called_in_part,
    lambda one: _looks_like_label(one) and _not_excluded(one),
)


def label_proof(table: Table, one: Profile) -> str:
    if one.lists > 0.9:
        return f"label: column '{one.name}' (a list of labels a row, {counted(one.rows, 'row')})"
    values = sorted({as_label(cell) for cell in table.values[one.name] if not _void(cell)})
    quoted = listed([value if len(value) <= 30 else value[:29] + "…" for value in values], 6)
    return f"label: column '{one.name}' ({counted(one.distinct, 'value')}: {quoted})"


def _void(cell: object) -> bool:
    return not is_list(cell) and is_empty(cell)


# --- split ------------------------------------------------------------------------------------


def split(table: Table, free: Sequence[Profile]) -> Profile | None:
    """A column called split (set, subset) in which each row is train or test."""
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
