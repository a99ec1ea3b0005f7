"""Which column is what: as the person says, otherwise guessed with the proof beside it.

A guess is made only where one column stands out; where two are equally good, the person is
asked. Columns that were named are never second-guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from supertune.contracts import Columns
from supertune.data import column_guesses, joining
from supertune.data.cells import as_label, is_list, listed
from supertune.data.nearest import missing_column
from supertune.data.profiles import Profile, profile
from supertune.data.table import Table
from supertune.data.templates import ANSWER, asks, fields, shows_one
from supertune.errors import InputError


@dataclass(frozen=True)
class Settled:
    """Columns with nothing left to guess, and the guesses that were made, in sentences."""

    columns: Columns
    guesses: tuple[str, ...]


def settle(table: Table, wanted: Columns, *, fitted: bool = False) -> Settled:
    """Check the columns that were named and find the text and the label where they were not.

    Args:
        fitted: they are those of a model, perhaps under other names, so that a prompt's
            template says nothing more about them.

    Raises:
        InputError: ``text_column_missing`` (``label_``, ``split_`` ...) with the nearest name,
            ``bad_template``, ``pair_needs_two_columns``, ``column_twice``, ``ambiguous_columns``,
            ``no_text_column``, ``no_label_column``.
    """
    check_named(table, wanted)
    columns, guesses = wanted, _answer_is_no_column(table, wanted)
    if fitted and columns.text and asks(columns.template):
        columns = _as_many_as_fitted(table, columns)
    elif columns.template is not None and not _pair_alone(columns):
        columns = replace(columns, text=joining.settle_template(columns, table))
    free = _free_profiles(table, columns)
    if columns.split is None and (found := column_guesses.split(table, free)) is not None:
        columns = replace(columns, split=found.name)
        values = sorted({as_label(cell) for cell in table.values[found.name] if cell is not None})
        guesses.append(f"split: column '{found.name}' ({listed(values)})")
        free.remove(found)
    if not columns.read:
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
    if wanted.text and (wanted.template is None or asks(wanted.template)):
        return _as_many_as_fitted(table, wanted)
    if wanted.template is not None and not _pair_alone(wanted):
        wanted = replace(wanted, text=joining.settle_template(wanted, table))
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
    if named & {*table.names} or wanted.pair:
        return wanted
    if wanted.template is not None and not (asks(wanted.template) and len(wanted.text) == 1):
        return wanted
    label = "label" if "label" in table.values else None
    if not named:
        return replace(wanted, text=("text",), label=label)
    return Columns(("text",), label, template=wanted.template, separator=wanted.separator)


def check_named(table: Table, wanted: Columns) -> None:
    """Refuse names that the table does not have, and a label that is also read as text."""
    named = [("text", name) for name in wanted.text]
    for role in ("picture", "audio", "label", "split", "group", "time", "weight"):
        name = getattr(wanted, role)
        named += [] if name is None else [(role, name)]
    named += [("slice", name) for name in wanted.slices]
    for role, name in named:
        if name not in table.values:
            raise missing_column(table, name, role, next_step=f"--{role} {{name}}")
    read = (*wanted.read, *(fields(wanted.template) if wanted.template else ()))
    if wanted.label is not None and wanted.label in read:
        raise InputError(
            "column_twice",
            f"Column '{wanted.label}' is named as {_role(wanted)} and as label.",
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


def _role(wanted: Columns) -> str:
    if wanted.medium is None:
        return "text"
    return "audio" if wanted.picture is None else "picture"


def _check_pair(columns: Columns) -> None:
    if columns.pair and (len(columns.text) != 2 or _pair_alone(columns)):
        raise InputError(
            "pair_needs_two_columns",
            "A text pair takes exactly two text columns and no template.",
            received=", ".join(columns.text) + (" and a template" if columns.template else ""),
            allowed="two columns; a template with {answer} may show both",
            next="Give --text FIRST --text SECOND, or leave pair out to join them.",
        )


def _pair_alone(columns: Columns) -> bool:
    """A pair with a template that joins, which are two ways to read the same columns."""
    return columns.pair and columns.template is not None and not asks(columns.template)


def _answer_is_no_column(table: Table, wanted: Columns) -> list[str]:
    """Said where somebody could think that it is."""
    if not asks(wanted.template) or ANSWER not in table.values or wanted.label == ANSWER:
        return []
    return [f"template: {{{ANSWER}}} is where the label goes, not column '{ANSWER}'"]


def _as_many_as_fitted(table: Table, wanted: Columns) -> Columns:
    """Columns that are called otherwise than in the fitted rows are as many as the prompt shows.

    Raises:
        InputError: ``text_column_missing``.
    """
    template = wanted.template
    if template is None or shows_one(template) or len(wanted.text) >= len(fields(template)):
        return wanted
    if len(wanted.text) == 1 and all(map(is_list, table.values[wanted.text[0]])):
        return wanted
    raise InputError(
        "text_column_missing",
        "The prompt of this model shows more columns than were named.",
        received=f"{', '.join(wanted.text)}; template {template!r}",
        allowed=f"{len(fields(template))} text columns",
        next="Name each of them with --text NAME, in the order of the fitted rows.",
    )


def _free_profiles(table: Table, columns: Columns) -> list[Profile]:
    """Profiles of the columns that have no meaning yet, if any meaning is still missing."""
    if columns.read and columns.label is not None and columns.split is not None:
        return []
    named = {columns.label, columns.split, columns.group, columns.time, columns.weight}
    taken = named | {*columns.read, *columns.slices}
    return [profile(name, cells) for name, cells in table.values.items() if name not in taken]
