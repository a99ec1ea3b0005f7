"""What people pass as X, y and weights: texts told from numbers, and equal rows made one."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, Input, IntArray, content_key
from supertune.errors import InputError


def texts(rows: Any) -> list[Input] | None:
    """The n texts, or tuples of texts, that ``rows`` holds; None where it holds numbers.

    Lists, arrays and columns of texts are taken, and tables of texts: one column is a text a
    row, several are tuples.

    Raises:
        InputError: ``one_text_given``, ``no_rows``, ``not_rows``, or ``not_a_text`` with the row.
    """
    if isinstance(rows, (str, bytes)):
        raise InputError(
            "one_text_given",
            "X is one text, not several.",
            received=repr(rows)[:80],
            allowed='a list of texts, e.g. ["first", "second"]',
            next="Put the text into a list.",
        )
    if hasattr(rows, "nnz"):  # sparse: numbers, and scikit-learn has the words to refuse them
        return None
    listed = list(rows) if isinstance(rows, (list, tuple)) else _listed(rows)
    if listed is None:
        return None
    if not listed:
        raise InputError(
            "no_rows",
            "X has no rows.",
            received=f"{type(rows).__name__} with 0 samples",
            allowed="one row or more",
            next="Check what was filtered out before.",
        )
    if not any(_textual(value) for value in listed):
        return None
    return [_text(value, number) for number, value in enumerate(listed, start=1)]


def _listed(rows: Any) -> list[Any] | None:
    """Rows of an array, column or table; None where its type holds numbers, or it is empty."""
    array = np.asarray(rows)
    if array.ndim == 0:
        raise InputError(
            "not_rows",
            "X is not a sequence of rows.",
            received=type(rows).__name__,
            allowed="a list, array or column of texts, or numbers in rows and columns",
            next="Pass a list of texts.",
        )
    if array.shape == (0,):
        return []
    # Without any cell, scikit-learn knows whether it is rows or columns that are missing.
    return list(array) if array.size and array.dtype.kind not in "biufc" else None


def _textual(value: Any) -> bool:
    if isinstance(value, (list, tuple, np.ndarray)):
        return any(isinstance(part, str) for part in value)
    return isinstance(value, (str, bytes))


def _text(value: Any, number: int) -> Input:
    # NumPy's own strings become plain ones: their repr differs, and so would every cache key.
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (list, tuple, np.ndarray)) and len(value) > 0:
        parts = tuple(str(part) for part in value if isinstance(part, str))
        if len(parts) == len(value):
            return parts if len(parts) > 1 else parts[0]
    raise InputError(
        "not_a_text",
        f"Row {number} of X is not a text.",
        received=f"row {number}, {type(value).__name__}: {value!r}"[:120],
        allowed="texts, or tuples of texts for pairs",
        next="Leave empty cells out, or turn values into text with str().",
    )


def unlabelled(given: Any, known: Sequence[Input], most: int) -> tuple[Input, ...]:
    """At most ``most`` distinct texts of ``given`` that are none of the labelled ones, in the order
    of their content; which ones does not depend on their order.

    Raises:
        InputError: ``unlabelled_not_texts``, ``no_unlabelled_rows``, and those of `texts`.
    """
    found = texts(given)
    if found is None:
        raise InputError(
            "unlabelled_not_texts",
            "The unlabelled rows are not texts.",
            received=type(given).__name__,
            allowed="a list, array or column of texts",
            next="Pass texts, or leave unlabeled out.",
        )
    labelled = set(known)
    rest = {content_key(one): one for one in found if one not in labelled}
    if not rest:
        raise InputError(
            "no_unlabelled_rows",
            "None of the unlabelled rows could be used.",
            received=f"{len(found)} rows that are labelled rows as well",
            allowed="texts that are not among the labelled ones",
            next="Pass others, or leave unlabeled out.",
        )
    return tuple(rest[key] for key in heapq.nsmallest(most, rest))


def labels(y: Any, rows: int) -> npt.NDArray[Any]:
    """(n,) labels for as many rows of text.

    Raises:
        InputError: ``labels_missing``, or ``label_missing`` with the row.
        ValueError: scikit-learn's own, where lengths or shapes differ or a number is not finite.
    """
    from sklearn.utils import check_consistent_length, column_or_1d
    from sklearn.utils.validation import assert_all_finite

    if y is None:
        raise InputError(
            "labels_missing",
            "fit needs y, the labels of the rows.",
            received="y=None",
            allowed="one label a row",
            next="Call fit(texts, labels).",
        )
    answers: npt.NDArray[Any] = column_or_1d(y, warn=True)
    check_consistent_length(np.empty(rows), answers)
    if answers.dtype.kind == "O":
        for number, value in enumerate(answers, start=1):
            if value is None or isinstance(value, float) or type(value).__name__ == "NAType":
                raise InputError(
                    "label_missing",
                    f"Row {number} of y has no label.",
                    received=f"row {number}: {value!r}",
                    allowed="a text or an integer",
                    next="Leave rows without a label out.",
                )
    assert_all_finite(answers, input_name="y")
    return answers


def distinct(
    rows: Sequence[object], targets: IntArray, weights: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Places of the distinct (row, target) in canonical order, and their summed weights.

    Rows of weight 0 are left out.
    """
    total: dict[str, float] = {}
    place: dict[str, int] = {}
    for i in np.flatnonzero(weights > 0).tolist():
        key = content_key(rows[i], int(targets[i]))  # type: ignore[arg-type]  # or bytes
        total[key] = total.get(key, 0.0) + float(weights[i])
        place.setdefault(key, i)
    order = sorted(place)
    index = np.array([place[key] for key in order], dtype=np.int64)
    return index, np.array([total[key] for key in order])


def refuse_unlabelled_numbers() -> None:
    """Rows of numbers are answered by a linear head, which learns from labelled rows alone.

    Raises:
        InputError: ``unlabelled_not_used``.
    """
    raise InputError(
        "unlabelled_not_used",
        "Rows of numbers are not learned from without a label.",
        received="numeric features and unlabeled",
        allowed="texts",
        next="Leave unlabeled out.",
    )


def refuse_one_class(classes: npt.NDArray[Any]) -> None:
    """Nothing can be told apart with labels of one class.

    Raises:
        InputError: ``one_class``.
    """
    if len(classes) < 2:
        found = f"1 class: {classes[0]!r}" if len(classes) else "0 classes"
        raise InputError(
            "one_class",
            "The rows are of one class only.",
            received=found,
            allowed="rows of 2 classes or more, with a weight above 0",
            next="Add rows that carry another label.",
        )
