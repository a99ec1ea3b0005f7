"""From cells to labels: one a row, or several; their names in an order no file can change.

Shapes: n rows, C labels.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from supertune.data.cells import as_label, as_number, counted, is_empty, is_list, listed, shown
from supertune.data.table import Table
from supertune.errors import InputError

Given: TypeAlias = "tuple[str, ...] | None"
"""The labels of one row; None where it carries none."""

_SEPARATORS = ("|", ";", ",")
_PROVEN = 0.8  # of the parts must occur in several cells before a separator is believed


@dataclass(frozen=True, eq=False)
class Answers:
    """The labels of n rows as they were given.

    Attributes:
        given: for each row its label (one), its labels (any number), or None.
        multi_label: whether a row may have several.
        separator: what split the cells, if anything did.
        guesses: how that was found out, in sentences.
        blanks: which rows (n,) had blanks around a label, which are not part of it.
    """

    given: tuple[Given, ...]
    multi_label: bool
    separator: str | None
    guesses: tuple[str, ...]
    blanks: tuple[int, ...]


def read(table: Table, column: str, separator: str | None, *, guess: bool = True) -> Answers:
    """The labels in ``column``. Lists, or cells with a separator, hold several.

    Args:
        separator: given by the person; otherwise, with ``guess``, looked for.

    Raises:
        InputError: ``bad_label`` for a cell that is no label, ``bad_separator``.
    """
    cells = table.values[column]
    if separator is not None and not separator:
        raise InputError(
            "bad_separator",
            "The separator between labels is empty.",
            received="''",
            allowed="one or more characters, such as '|'",
            next="Leave it out where each row has one label.",
        )
    if separator is None and any(map(is_list, cells)):
        return Answers(_lists(table, column, cells), True, None, (), ())
    if separator is None and (decoded := _json_lists(cells)) is not None:
        how = f"label: the cells of column '{column}' are JSON lists, so a row may have several"
        return Answers(_lists(table, column, decoded), True, None, (how,), ())
    guesses: tuple[str, ...] = ()
    if separator is None and guess:
        separator, guesses = _guessed_separator(column, cells)
    if separator is not None:
        return Answers(_split(table, column, cells, separator), True, separator, guesses, ())
    given = tuple(
        None if is_empty(cell) else (_label(table, column, i, cell),)
        for i, cell in enumerate(cells)
    )
    blanks = tuple(
        i
        for i, cell in enumerate(cells)
        if given[i] is not None and isinstance(cell, str) and cell != cell.strip()
    )
    return Answers(given, False, None, (), blanks)


def ordered(given: Iterable[Given]) -> tuple[str, ...]:
    """All labels that occur, sorted as texts."""
    return tuple(sorted({name for labels in given if labels is not None for name in labels}))


def targets(
    given: Sequence[Given], names: tuple[str, ...], *, multi_label: bool
) -> npt.NDArray[Any]:
    """(n,) indices into ``names``, -1 where unlabelled; or (n, C) zeros and ones."""
    place = {name: i for i, name in enumerate(names)}
    if not multi_label:
        return np.array([-1 if one is None else place[one[0]] for one in given], dtype=np.int64)
    table = np.zeros((len(given), len(names)))
    for row, labels in enumerate(given):
        for name in labels or ():
            table[row, place[name]] = 1.0
    return table


def check_learnable(given: Sequence[Given], source: str, column: str, *, multi_label: bool) -> None:
    """Refuse rows from which no classifier can be learned.

    Raises:
        InputError: ``no_labels``, ``too_few_rows``, ``one_class``, ``one_row_a_class``,
            ``label_looks_numeric`` or ``too_many_labels``.
    """
    held = [labels for labels in given if labels is not None]
    counts = Counter(name for labels in held for name in labels)
    if not counts:
        raise none_given(len(given), source, column)
    if len(held) == 1:
        raise InputError(
            "too_few_rows",
            f"{source} has one labelled row.",
            received="1 labelled row",
            allowed="at least two rows of each of two classes",
            next="Label more rows; 8 of each class are a good start.",
        )
    if len(counts) == 1 and (not multi_label or all(held)):
        raise InputError(
            "one_class",
            f"All labelled rows of {source} have the same label.",
            received=f"{counted(len(held), 'row')} with '{next(iter(counts))}'",
            allowed="at least two different labels",
            next="Add rows of another class, or name another column with --label NAME.",
        )
    _check_repeated(counts, len(held), source, column)


def none_given(rows: int, source: str, column: str) -> InputError:
    """``no_labels``: the label column is empty in all rows."""
    return InputError(
        "no_labels",
        f"No row of {source} has a label.",
        received=f"{counted(rows, 'row')}, column '{column}' empty in all",
        allowed="a label in at least two rows of each of two classes",
        next="Label some rows, or name another column with --label NAME.",
    )


def _check_repeated(counts: Counter[str], rows: int, source: str, column: str) -> None:
    numbers = [as_number(name) for name in counts]
    whole = all(number is not None for number in numbers)
    if whole and len(counts) > 10 and 2 * len(counts) > rows:
        raise InputError(
            "label_looks_numeric",
            f"The labels in column '{column}' of {source} are measurements, not classes.",
            received=f"{len(counts):,} different numbers in {counted(rows, 'row')}",
            allowed="classes that each have several rows",
            next="Put the numbers into a few classes, or name another column with --label NAME.",
        )
    if max(counts.values()) == 1:
        raise InputError(
            "one_row_a_class",
            f"Every class of {source} has a single row, so nothing can be learned and judged.",
            received=f"{counted(len(counts), 'label')} in {counted(rows, 'row')}",
            allowed="at least two rows of a class",
            next=f"Label more rows of each class; if '{column}' is not the label, "
            "name another column with --label NAME.",
        )
    if len(counts) > 20 and rows < 1.5 * len(counts):
        raise InputError(
            "too_many_labels",
            f"Column '{column}' of {source} has almost as many labels as rows.",
            received=f"{len(counts):,} labels in {counted(rows, 'row')}",
            allowed="classes that each have several rows",
            next="Merge rare classes, or name another column with --label NAME.",
        )


def _label(table: Table, column: str, row: int, cell: Any) -> str:
    if isinstance(cell, dict | bytes) or is_list(cell):
        raise InputError(
            "bad_label",
            f"A cell of column '{column}' is no label.",
            received=f"row {table.rows[row]}, column '{column}': {shown(cell)}",
            allowed="a text, a number, true or false; or a list of them",
            next="Correct the row, or name another column with --label NAME.",
        )
    return as_label(cell)


def _several(table: Table, column: str, row: int, parts: Iterable[Any]) -> tuple[str, ...]:
    names = {_label(table, column, row, part) for part in parts if not is_empty(part)}
    return tuple(sorted(names))


def _lists(table: Table, column: str, cells: Sequence[Any]) -> tuple[Given, ...]:
    """A cell that is no list holds one label; an empty list says that none applies."""
    return tuple(
        _several(table, column, i, cell if is_list(cell) else [cell])
        if is_list(cell) or not is_empty(cell)
        else None
        for i, cell in enumerate(cells)
    )


def _split(table: Table, column: str, cells: Sequence[Any], separator: str) -> tuple[Given, ...]:
    return tuple(
        None
        if not is_list(cell) and is_empty(cell)
        else _several(
            table,
            column,
            i,
            cell
            if is_list(cell)
            else [part.strip() for part in _label(table, column, i, cell).split(separator)],
        )
        for i, cell in enumerate(cells)
    )


def _json_lists(cells: Sequence[Any]) -> list[Any] | None:
    """Cells like ``["a", "b"]`` decoded, if all of them are such; this is what we write."""
    decoded: list[Any] = []
    for cell in cells:
        if is_empty(cell):
            decoded.append(None)
            continue
        if not isinstance(cell, str) or not cell.strip().startswith("["):
            return None
        try:
            decoded.append(json.loads(cell))
        except ValueError:
            return None
    return decoded if any(map(is_list, decoded)) else None


def _guessed_separator(column: str, cells: Sequence[Any]) -> tuple[str | None, tuple[str, ...]]:
    """A separator is believed when what it separates recurs in other cells."""
    texts = Counter(cell.strip() for cell in cells if isinstance(cell, str) and cell.strip())
    for separator in _SEPARATORS:
        joined = [text for text in texts if separator in text]
        if sum(texts[text] for text in joined) < 2:
            continue
        pieces = {text: [part.strip() for part in text.split(separator)] for text in texts}
        parts = Counter(part for text in texts for part in set(pieces[text]))
        mixed = {part for text in joined for part in pieces[text]}
        recurring = sum(parts[part] > 1 for part in mixed)
        short = all(part and len(part) <= 40 for part in mixed)
        if short and recurring >= _PROVEN * len(mixed) and len(parts) < len(texts):
            often = [part for part, _ in parts.most_common()]
            how = (
                f"label: cells of column '{column}' hold several labels, split at '{separator}' "
                f"({counted(len(parts), 'label')} make up {len(texts)} different cells: "
                f"{listed(sorted(often[:5]))})"
            )
            return separator, (how,)
    return None, ()
