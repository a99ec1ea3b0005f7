"""Which column is measured, and whether it is learned from columns of numbers or from a text.

As with labels, a guess is made only where one column stands out, and is told with its proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from supertune.contracts import Columns, Finding
from supertune.data import column_guesses, column_names, joining, number_cells
from supertune.data.cells import as_label, listed
from supertune.data.columns import Settled, check_named
from supertune.data.nearest import missing_column
from supertune.data.profiles import Profile, profile
from supertune.data.table import Table
from supertune.errors import InputError

_MOSTLY = 0.5  # of the cells: such a column is meant to be numbers, and the others are mistakes


def settle(table: Table, wanted: Columns) -> tuple[Settled, list[Finding]]:
    """Columns with nothing left to guess; what was left out, and why.

    Raises:
        InputError: ``target_column_missing`` and the like, ``ambiguous_columns``,
            ``no_target_column``, ``target_not_numeric``, ``mixed_columns``, ``nothing_to_read``,
            ``decimal_comma``, ``column_twice``.
    """
    check_named(table, wanted)
    _check_numbers(table, wanted)
    columns, guesses = wanted, []
    if columns.template is not None and not columns.pair:
        columns = replace(columns, text=joining.settle_template(columns, table))
    if columns.split is None:
        free = [profile(name, table.values[name]) for name in _free(table, columns)]
        if (found := column_guesses.split(table, free)) is not None:
            columns = replace(columns, split=found.name)
            values = sorted({as_label(cell) for cell in table.values[found.name]})
            guesses.append(f"split: column '{found.name}' ({listed(values)})")
    if columns.label is None:
        columns = replace(columns, label=_target(table, columns))
        guesses.append(_target_proof(table, str(columns.label)))
    _check_target(table, str(columns.label))
    if columns.numbers or columns.text:
        return Settled(columns, tuple(guesses)), []
    numbers, texts, findings = _readable(table, columns)
    if texts and numbers:
        raise _mixed(table, numbers, texts)
    if texts:
        name = _one_text(table, texts)
        proof = column_guesses.text_proof(profile(name, table.values[name]))
        return Settled(replace(columns, text=(name,)), (*guesses, proof)), findings
    if not numbers:
        raise _nothing(table, str(columns.label))
    guesses.append(f"numbers: {len(numbers)} columns ({listed(numbers, 12)})")
    return Settled(replace(columns, numbers=numbers), tuple(guesses)), findings


def _free(table: Table, columns: Columns) -> list[str]:
    """Columns that have no meaning yet."""
    named = {columns.label, columns.split, columns.group, columns.time, columns.weight}
    taken = named | {*columns.text, *columns.slices, *columns.numbers}
    return [name for name in table.names if name not in taken]


def _check_numbers(table: Table, wanted: Columns) -> None:
    for name in wanted.numbers:
        if name not in table.values:
            raise missing_column(table, name, "number", next_step="--column {name}")
    if wanted.numbers and (wanted.text or wanted.template):
        raise _mixed(table, wanted.numbers, wanted.text or (str(wanted.template),))
    twice = [name for name in wanted.numbers if wanted.numbers.count(name) > 1]
    twice += [name for name in wanted.numbers if name == wanted.label]
    if twice:
        raise InputError(
            "column_twice",
            f"Column '{twice[0]}' is named twice.",
            received=twice[0],
            allowed="each column once; the target is not learned from",
            next="Leave one of them out.",
        )


# --- the target -------------------------------------------------------------------------------


def _target(table: Table, columns: Columns) -> str:
    """The column of numbers that is called like a target; else the last one."""
    free = [name for name in _free(table, columns) if _numeric(table, name)]
    if not free:
        commas = [n for n in _free(table, columns) if number_cells.with_commas(table.values[n])]
        if commas:
            raise _decimal_comma(table, commas[0])
        raise InputError(
            "no_target_column",
            f"No column of {table.source} holds numbers that could be predicted.",
            received=f"columns {listed(table.names, 30)}",
            allowed="a column of numbers, such as price",
            next="Name it with --label NAME; for labels use --task text_classification.",
        )
    exact = column_names.is_exactly
    for found in (
        [name for name in free if exact(name, column_names.LABEL)],
        [name for name in free if exact(name, column_names.TARGET)],
        [name for name in free if column_names.has_word(name, column_names.TARGET)],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(
                "ambiguous_columns",
                f"Several columns of {table.source} could be the target.",
                received=listed(found, 30),
                allowed="one of them",
                next=f"Name it with --label NAME, for example --label {found[0]}.",
            )
    return free[-1]


def _target_proof(table: Table, name: str) -> str:
    held = [number for cell in table.values[name] if (number := number_cells.number(cell))]
    span = f"{min(held):g} to {max(held):g}" if held else "zeros"
    called = column_names.is_exactly(name, column_names.LABEL | column_names.TARGET)
    called |= column_names.has_word(name, column_names.TARGET)
    why = "called like one" if called else "the last column of numbers"
    return f"target: column '{name}', {why} ({span}); another with --label NAME"


def _check_target(table: Table, name: str) -> None:
    cells = table.values[name]
    if number_cells.with_commas(cells):
        raise _decimal_comma(table, name)
    held = [cell for cell in cells if not number_cells.missing(cell)]
    if held and number_cells.share(cells) < _MOSTLY:
        seen = list(dict.fromkeys(as_label(cell) for cell in held[:1000]))
        raise InputError(
            "target_not_numeric",
            f"The target '{name}' of {table.source} holds words: this is classification.",
            received=listed([f"'{value[:30]}'" for value in seen], 5),
            allowed="a column of numbers",
            next="Use --task text_classification, or name a column of numbers with --label NAME.",
        )


# --- what is learned from ---------------------------------------------------------------------


def _readable(
    table: Table, columns: Columns
) -> tuple[tuple[str, ...], tuple[str, ...], list[Finding]]:
    """Columns of numbers, columns of texts, and what is said of those left out."""
    numbers, texts, words = list[str](), list[str](), list[str]()
    counting, empty = list[str](), list[str]()
    for name in _free(table, columns):
        cells = table.values[name]
        one = profile(name, cells)
        if number_cells.with_commas(cells):
            raise _decimal_comma(table, name)
        if 2 * sum(not number_cells.missing(cell) for cell in cells) < len(table):
            empty.append(name)
        elif _numeric(table, name):
            unique = one.distinct == one.rows
            row_number = column_names.has_word(name, column_names.ROW_NUMBER) and unique
            (counting if row_number else numbers).append(name)
        elif _reads_like_text(one):
            texts.append(name)
        else:
            words.append(name)
    said = (
        (words, "words_left_out", "words and no numbers"),
        (counting, "row_numbers_left_out", "numbers that only name the rows"),
        (empty, "empty_column_left_out", "cells that are mostly empty"),
    )
    findings = [
        Finding(code, f"Left out, with {what}: {listed(left, 12)}.", severity="info")
        for left, code, what in said
        if left
    ]
    return tuple(numbers), tuple(texts), findings


def _reads_like_text(one: Profile) -> bool:
    called = column_names.is_exactly(one.name, column_names.TEXT)
    return one.prose >= 0.5 and one.times < 0.9 and (called or one.variety > 0.5)


def _one_text(table: Table, texts: Sequence[str]) -> str:
    called = [name for name in texts if column_names.is_exactly(name, column_names.TEXT)]
    likely = called or list(texts)
    if len(likely) == 1:
        return likely[0]
    raise InputError(
        "ambiguous_columns",
        f"Several columns of {table.source} could be the text.",
        received=listed(likely, 30),
        allowed="one of them, or several joined",
        next=f"Name it with --text {likely[0]}; repeat --text to join several.",
    )


def _numeric(table: Table, name: str) -> bool:
    return number_cells.share(table.values[name]) >= _MOSTLY


def _mixed(table: Table, numbers: Sequence[str], texts: Sequence[str]) -> InputError:
    return InputError(
        "mixed_columns",
        "A regression learns from columns of numbers or from a text, not from both.",
        received=f"{table.source}: numbers in {listed(list(numbers), 12)}; text in "
        f"{listed(list(texts), 12)}",
        allowed="columns of numbers, or a text",
        next=f"Name the text with --text {texts[0]}, or the numbers with --column {numbers[0]}"
        + (f" --column {numbers[1]} ..." if len(numbers) > 1 else "."),
    )


def _nothing(table: Table, target: str) -> InputError:
    return InputError(
        "nothing_to_read",
        f"{table.source} has nothing to learn '{target}' from.",
        received=f"columns {listed(table.names, 30)}",
        allowed="columns of numbers beside the target, or a text",
        next="Add columns, or name a text with --text NAME.",
    )


def _decimal_comma(table: Table, name: str) -> InputError:
    cell = next(cell for cell in table.values[name] if isinstance(cell, str) and "," in cell)
    return InputError(
        "decimal_comma",
        f"Column '{name}' of {table.source} writes decimals with a comma.",
        received=f"column '{name}': {cell.strip()[:40]}",
        allowed="decimals with a point: 1.5",
        next="Write the file with points, for example by pandas: "
        "read_csv(path, decimal=',').to_csv(new).",
    )
