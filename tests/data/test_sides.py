"""Columns beside text and label: sides, groups, weights, slices, times."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from supertune.data import sides
from supertune.data.table import Table
from supertune.errors import InputError


def table(cells: list[Any]) -> Table:
    return Table({"c": cells}, np.arange(1, len(cells) + 1), "rows.csv")


def test_a_split_column_is_understood_in_any_case() -> None:
    found = sides.sides(table(["Train", "TEST", "dev", "validation", "训练"]), "c")
    assert found == ("train", "test", "valid", "valid", "train")


def test_other_values_of_a_split_column_are_listed_with_their_first_row() -> None:
    with pytest.raises(InputError) as caught:
        sides.sides(table(["train", "tset", "", "tset"]), "c")
    assert caught.value.code == "bad_split"
    assert caught.value.received == "'tset' in row 2, (empty) in row 3"
    assert "test" in str(caught.value.allowed)


@pytest.mark.parametrize("cell", [-1, 0, "0", "nan", float("nan"), "inf", "heavy", None, True])
def test_a_weight_that_is_no_positive_number_is_refused_with_its_row(cell: object) -> None:
    with pytest.raises(InputError) as caught:
        sides.weights(table([1, "2.5", cell]), "c")
    assert caught.value.code == "bad_weight"
    assert str(caught.value.received).startswith("row 3, column 'c'")


def test_normalised_weights_have_mean_one_to_the_bit_in_any_order() -> None:
    rng = random.Random(0)
    given = [rng.random() + 0.01 for _ in range(999)]
    order = rng.sample(range(999), 999)
    found = sides.normalised(np.array(given))
    again = sides.normalised(np.array([given[i] for i in order]))
    assert found.mean() == pytest.approx(1.0, abs=1e-12)
    assert np.array_equal(found[order], again)


def test_groups_and_slices_are_texts() -> None:
    assert sides.groups(table([7, 7.0, "a", None]), "c") == ("7", "7", "a", None)
    assert sides.slices(table([1, None, "x"]), ("c",))["c"].tolist() == ["1", "(empty)", "x"]


def test_times_are_checked_and_their_range_is_told() -> None:
    finding = sides.time_range(table(["2024-05-02", "", "2023-01-01T10:00"]), "c")
    assert (finding.code, finding.severity) == ("time_range", "info")
    assert "from 2023-01-01T10:00 to 2024-05-02; 1 row without one" in finding.message
    numbers = sides.time_range(table([3, "1", 2]), "c")
    assert numbers.message == "Times in 'c' run from 1 to 3."


@pytest.mark.parametrize(
    ("cells", "code", "row"),
    [
        (["2024-05-02", "yesterday"], "bad_time", "row 2"),
        (["2024-13-02", "2024-05-02"], "bad_time", "row 1"),
        (["2024-05-02T10:00", "2024-05-02T10:00Z"], "mixed_times", "row 1"),
    ],
)
def test_what_is_no_time_is_refused_with_its_row(cells: list[Any], code: str, row: str) -> None:
    with pytest.raises(InputError) as caught:
        sides.time_range(table(cells), "c")
    assert caught.value.code == code
    assert str(caught.value.received).startswith(row)
