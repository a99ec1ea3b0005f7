"""Rows that Python code hands to `Model.predict`, checked: texts, pairs of texts, or numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from supertune.contracts import Columns, Input
from supertune.data.answered_rows import bare
from supertune.data.cells import as_number, shown
from supertune.errors import InputError


def texts(given: Any, columns: Columns) -> list[Input]:
    """Texts, or pairs of texts, may be written as the model's rows were, with or without an
    answer, which is not read.

    Raises:
        InputError: what is no such row, by its number.
    """
    if isinstance(given, (str, bytes)):
        raise InputError(
            "one_text_given",
            "predict takes several texts, not one string.",
            received=repr(given)[:80],
            allowed='a list of texts, e.g. ["first", "second"]',
            next="Put the text into a list.",
        )
    try:
        listed = list(given)
    except TypeError as error:
        raise InputError(
            "not_texts",
            "predict takes a list of texts.",
            received=type(given).__name__,
            allowed='e.g. ["first", "second"]',
            next="Pass a list, an array or a column of texts.",
        ) from error
    for number, value in enumerate(listed, start=1):
        pair = isinstance(value, tuple) and value and all(isinstance(v, str) for v in value)
        if not isinstance(value, str) and not pair:
            raise InputError(
                "not_a_text",
                f"Input {number} is not a text.",
                received=f"{type(value).__name__}: {value!r}"[:100],
                allowed="texts, or tuples of texts for pairs",
                next="Leave empty cells out, or turn values into text with str().",
            )
    # A row of an array is a NumPy text, which others would write down as one.
    return [
        tuple(map(str, value)) if isinstance(value, tuple) else bare(str(value), columns)
        for value in listed
    ]


def numbers(given: Any, names: tuple[str, ...]) -> list[Input]:
    """Rows of as many numbers as there are names.

    Raises:
        InputError: ``not_numbers``.
    """
    # A frame answers to its columns' names; anything else is taken row by row.
    if hasattr(given, "columns") and hasattr(given, "to_numpy"):
        missing = [name for name in names if name not in list(given.columns)]
        if missing:
            raise _not_numbers(names, f"a frame without the column {missing[0]}")
        given = given[list(names)].to_numpy()
    if isinstance(given, (str, bytes, Mapping)):
        raise _not_numbers(names, f"{type(given).__name__}: {given!r}"[:100])
    try:
        listed = list(given)
    except TypeError as error:
        raise _not_numbers(names, type(given).__name__) from error
    return [_row(value, number, names) for number, value in enumerate(listed, start=1)]


def _row(value: Any, number: int, names: tuple[str, ...]) -> tuple[float, ...]:
    if isinstance(value, Mapping):
        value = [value.get(name) for name in names]
    try:
        cells = None if isinstance(value, (str, bytes)) else list(value)
    except TypeError:
        cells = None
    if cells is None or len(cells) != len(names):
        size = "" if cells is None else f" of {len(cells)}"
        raise _not_numbers(names, f"row {number}: {type(value).__name__}{size}: {shown(value)}")
    found = [as_number(cell) for cell in cells]
    for name, cell, one in zip(names, cells, found, strict=True):
        if one is None or not math.isfinite(one):
            raise _not_numbers(names, f"row {number}, column '{name}': {shown(cell)}")
    return tuple(one for one in found if one is not None)


def _not_numbers(names: tuple[str, ...], received: str) -> InputError:
    return InputError(
        "not_numbers",
        "This model reads rows of numbers.",
        received=received,
        allowed=f"rows of {len(names)} numbers: {', '.join(names[:20])}"
        + (" ..." if len(names) > 20 else ""),
        next="Pass a 2-D array, a list of lists or of dicts, a frame with these columns, or name "
        "a file: supertune predict MODEL NEW.csv.",
    )
