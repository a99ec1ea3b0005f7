"""Labels of rows: one each or several, whatever the cells are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from supertune.data.labels import Given, check_learnable, ordered, read, targets
from supertune.data.table import Table
from supertune.errors import InputError


def answers(cells: list[Any], separator: str | None = None, *, guess: bool = True) -> Any:
    table = Table({"label": cells}, np.arange(1, len(cells) + 1), "rows.csv")
    return read(table, "label", separator, guess=guess)


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ([True, False, True], ("False", "True")),
        ([1, 0, 1], ("0", "1")),
        ([1.0, 0.0, 0.5], ("0", "0.5", "1")),
        ([np.int64(3), np.float32(2.0), np.bool_(True)], ("2", "3", "True")),
        (["b", "a", "b"], ("a", "b")),
        (["10", "9", "2"], ("10", "2", "9")),
        (["正面", "负面", "正面"], ("正面", "负面")),
    ],
)
def test_any_kind_of_cell_becomes_a_label_in_a_stable_order(
    cells: list[Any], names: tuple[str, ...]
) -> None:
    for order in (cells, cells[::-1]):
        assert ordered(answers(order).given) == names


def test_empty_cells_are_unlabelled() -> None:
    found = answers(["a", "", None, " ", float("nan"), "b"])
    assert found.given == (("a",), None, None, None, None, ("b",))
    assert targets(found.given, ("a", "b"), multi_label=False).tolist() == [0, -1, -1, -1, -1, 1]


def test_lists_hold_several_labels_and_an_empty_one_none() -> None:
    found = answers([["b", "a", "a"], [], None, ["c"], np.array(["a"])])
    assert found.multi_label
    assert found.given == (("a", "b"), (), None, ("c",), ("a",))
    assert targets(found.given, ("a", "b", "c"), multi_label=True).tolist() == [
        [1, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1], [1, 0, 0],
    ]  # fmt: skip


def test_a_separator_splits_and_trims() -> None:
    found = answers(["red | blue", "red", "", "blue|", 3], "|")
    assert found.multi_label
    assert found.given == (("blue", "red"), ("red",), None, ("blue",), ("3",))
    assert (found.separator, found.guesses) == ("|", ())


def test_json_lists_in_text_cells_are_lists() -> None:
    found = answers(['["a", "b"]', "[]", "", '["a"]'])
    assert found.given == (("a", "b"), (), None, ("a",))
    assert "JSON lists" in found.guesses[0]


def test_a_separator_is_believed_when_its_parts_recur() -> None:
    found = answers(["red;blue", "red", "blue;green", "green", "red;green", "blue"])
    assert (found.multi_label, found.separator) == (True, ";")
    assert found.guesses == (
        "label: cells of column 'label' hold several labels, split at ';' (3 labels make up 6 "
        "different cells: blue, green, red)",
    )


@pytest.mark.parametrize(
    "cells",
    [
        ["News, politics", "News, politics", "Sports", "Sports"],
        ["a;b", "c", "d", "c"],
        ["yes", "no", "yes", "no"],
        ["Paris, France", "Lyon, France", "Rome, Italy", "Bari, Italy"],
    ],
)
def test_a_separator_whose_parts_do_not_recur_is_part_of_the_name(cells: list[str]) -> None:
    found = answers(cells)
    assert not found.multi_label
    assert set(ordered(found.given)) == set(cells)


def test_no_separator_is_looked_for_when_a_model_is_judged() -> None:
    assert not answers(["a;b", "a", "b", "b;a"], guess=False).multi_label


@pytest.mark.parametrize("cell", [{"a": 1}, b"a", [["a"]]])
def test_a_cell_that_is_no_label_is_refused_with_its_row(cell: object) -> None:
    with pytest.raises(InputError) as caught:
        answers(["a", "b", cell])
    assert caught.value.code == "bad_label"
    assert str(caught.value.received).startswith("row 3, column 'label'")


def test_an_empty_separator_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        answers(["a", "b"], "")
    assert caught.value.code == "bad_separator"


def each(*names: str) -> list[Given]:
    return [(name,) for name in names]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([None, None], "no_labels"),
        ([], "no_labels"),
        ([("a",), None], "too_few_rows"),
        (each("a", "a", "a"), "one_class"),
        (each("a", "b"), "one_row_a_class"),
        (each(*"abcdefg"), "one_row_a_class"),
        (each(*(str(i / 7) for i in range(30))), "label_looks_numeric"),
        (each(*(str(i) for i in range(30)), "3"), "label_looks_numeric"),
        (each(*(f"kind {i}" for i in range(30)), "kind 3"), "too_many_labels"),
    ],
)
def test_rows_that_teach_nothing_are_refused(given: list[Given], code: str) -> None:
    with pytest.raises(InputError) as caught:
        check_learnable(given, "rows.csv", "label", multi_label=False)
    error = caught.value
    assert error.code == code
    assert error.received
    assert error.allowed
    assert error.next


@pytest.mark.parametrize(
    "given",
    [
        each("a", "a", "b"),
        each(*(f"kind {i // 2}" for i in range(60))),
        each(*(str(i % 11) for i in range(44))),
    ],
)
def test_rows_that_teach_something_pass(given: list[Given]) -> None:
    check_learnable(given, "rows.csv", "label", multi_label=False)


def test_one_label_that_applies_or_not_can_be_learned() -> None:
    check_learnable([("a",), (), ("a",), ()], "rows.csv", "label", multi_label=True)
    with pytest.raises(InputError):
        check_learnable([("a",), ("a",)], "rows.csv", "label", multi_label=True)
