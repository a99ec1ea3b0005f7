"""What is special about rows of numbers."""

from __future__ import annotations

import pytest

from supertune import registry
from supertune.contracts import Columns, modality_of
from supertune.errors import InputError

NUMBERS = registry.modality("numbers")


def test_rows_are_alike_only_where_they_are_equal() -> None:
    assert NUMBERS.alike([(1.0, 2.0), (1.0, 2.001), (1.0, 2.0)]) == [[0, 2]]


def test_no_backbone_reads_them_and_no_form_tells() -> None:
    assert NUMBERS.vectors
    assert NUMBERS.backbones([(1.0,)]) == ()
    assert NUMBERS.form([(1.0,)]) is None


def test_given_rows_have_as_many_numbers_as_there_are_columns() -> None:
    columns = Columns(numbers=("a", "b"))
    assert NUMBERS.given([[1, 2], {"a": 3, "b": 4}], columns) == [(1.0, 2.0), (3.0, 4.0)]
    with pytest.raises(InputError, match="reads rows of numbers"):
        NUMBERS.given([[1]], columns)


def test_the_kind_of_rows_is_told_by_the_first_input() -> None:
    assert modality_of([(1.0, 2.0)]) == "numbers"
    assert modality_of([("a", "b")]) == modality_of(["a"]) == modality_of([]) == "text"
