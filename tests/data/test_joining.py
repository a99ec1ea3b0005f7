"""What is read of a row: a column, several by a template, or a pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from supertune.contracts import Columns
from supertune.data.joining import inputs, is_blank
from supertune.data.table import Table
from supertune.errors import InputError


def read(values: dict[str, list[Any]], **columns: Any) -> tuple[Any, ...]:
    table = Table(values, np.arange(1, len(next(iter(values.values()))) + 1), "rows.csv")
    return inputs(table, Columns(text=columns.pop("text", tuple(values)), **columns))


def test_one_column_is_read_as_it_stands() -> None:
    assert read({"a": ["  two  blanks ", None, 3, 1.5, True, ""]}) == (
        "  two  blanks ", "", "3", "1.5", "True", "",
    )  # fmt: skip


def test_several_columns_are_joined_by_lines_without_the_empty() -> None:
    assert read({"title": ["A", "", None], "body": ["b", "c", " "]}) == ("A\nb", "c", "")


def test_a_template_joins_and_a_row_without_text_stays_empty() -> None:
    values = {"title": ["A", None, None], "the body": ["b", "c", ""]}
    found = read(values, template="{title}: {the body}. {{{title}}}")
    assert found == ("A: b. {A}", ": c. {}", "")
    assert [is_blank(value) for value in found] == [False, False, True]


def test_a_template_runs_nothing() -> None:
    assert read({"a.__class__": ["x"]}, template="{a.__class__}") == ("x",)


def test_a_pair_is_two_texts() -> None:
    found = read({"a": ["x", None, ""], "b": ["y", "z", None]}, pair=True)
    assert found == (("x", "y"), ("", "z"), ("", ""))
    assert [is_blank(value) for value in found] == [False, False, True]


def test_a_prompt_reads_texts_and_puts_nothing_around_them() -> None:
    assert read({"a": ["x", None]}, template="{text} is {answer}") == ("x", "")
    assert read({"a": ["x"]}, template="{a} is {answer}") == ("x",)
    two = {"a": ["x", None], "b": ["y", "z"]}
    assert read(two, template="{b} {a} {answer}") == (("x", "y"), ("", "z"))
    assert read(two, template="{text} {answer}") == ("x\ny", "z")


def test_cells_that_are_pairs_are_read_as_pairs() -> None:
    assert read({"text": [("x", "y"), ["z", "w"], None]}) == (("x", "y"), ("z", "w"), ("", ""))
    assert read({"text": [["x"], ["y"]]}) == ("x", "y")


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        (["x", ("y", "z")], "mixed_texts"),
        ([("x", "y"), ("x", "y", "z")], "mixed_texts"),
        (["x", {"a": 1}], "bad_text"),
        (["x", b"y"], "bad_text"),
        (["x", [1, 2]], "bad_text"),
    ],
)
def test_cells_of_another_kind_are_refused_with_their_row(cells: list[Any], code: str) -> None:
    with pytest.raises(InputError) as caught:
        read({"text": cells})
    assert caught.value.code == code
    assert str(caught.value.received).startswith("row 2, column 'text'")
