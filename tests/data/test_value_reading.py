"""Rows with a value: which column is what, what is left out and why, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Columns
from supertune.data import number_cells
from supertune.errors import InputError
from supertune.tasks.regression import TASK


def rows(n=12, **more):
    """Dicts of two numbers and a price, and columns beside them."""
    found = []
    for i in range(n):
        row = {"size": 20.0 + i * i, "age": float((7 * i) % 11), "price": 3.0 * i + 1}
        found.append({**row, **{name: cells[i] for name, cells in more.items()}})
    return found


def codes(reading):
    return [finding.code for finding in reading.findings]


def read(given, test=None, **columns):
    return TASK.read(given, Columns(**columns), test=test)


# --- which column is what ---------------------------------------------------------------------


def test_the_column_called_like_a_target_is_told_as_a_guess():
    reading = read(rows())
    assert reading.columns.label == "price"
    assert reading.columns.numbers == ("size", "age")
    assert any("target: column 'price', called like one" in g for g in reading.guesses)
    assert any("--label NAME" in g for g in reading.guesses)


def test_otherwise_the_last_column_of_numbers_is_the_target():
    given = [{"a": i, "b": i * i % 7, "city": "x" * (i % 3 + 1)} for i in range(12)]
    reading = read(given)
    assert reading.columns.label == "b"
    assert any("the last column of numbers" in guess for guess in reading.guesses)
    assert codes(reading)[0] == "words_left_out"


def test_two_columns_called_like_targets_are_asked_about():
    with pytest.raises(InputError, match="could be the target"):
        read(rows(cost=list(range(12))))
    assert read(rows(cost=list(range(12))), label="price").columns.numbers == (
        "size",
        "age",
        "cost",
    )


def test_named_columns_are_taken_and_no_others():
    reading = read(rows(), numbers=("age",), label="size")
    assert (reading.columns.numbers, reading.columns.label) == (("age",), "size")
    assert reading.train.inputs[3] == (10.0,)


def test_a_text_alone_is_read_as_text():
    given = [{"review": f"number {i} of a few words", "score": i / 2} for i in range(12)]
    reading = read(given)
    assert reading.columns.text == ("review",)
    assert reading.train.columns == ()
    assert reading.train.modality == "text"
    pairs = read([(row["review"], row["score"]) for row in given])
    assert pairs.train.inputs == reading.train.inputs
    np.testing.assert_array_equal(pairs.train.targets, reading.train.targets)


def test_numbers_and_a_text_are_refused_with_both_ways_out():
    given = rows(review=[f"number {i} of a few words" for i in range(12)])
    with pytest.raises(InputError) as caught:
        read(given)
    assert caught.value.code == "mixed_columns"
    assert "--text review" in caught.value.next
    assert "--column size --column age" in caught.value.next
    assert read(given, text=("review",)).train.modality == "text"
    assert read(given, numbers=("size",)).train.modality == "numbers"
    with pytest.raises(InputError, match="not from both"):
        read(given, text=("review",), numbers=("size",))


def test_row_numbers_and_mostly_empty_columns_are_left_out_and_told():
    given = rows(id=list(range(100, 112)), note=[None] * 11 + [4])
    reading = read(given)
    assert reading.columns.numbers == ("size", "age")
    assert {"row_numbers_left_out", "empty_column_left_out"} <= set(codes(reading))


# --- cells ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["", None, "NA", "n/a", "?", "nan", float("nan"), " - "])
def test_an_unknown_number_is_missing(cell):
    assert number_cells.missing(cell)


@pytest.mark.parametrize("cell", ["12", " -3.5 ", "1e3", 7, 2.5, np.float32(1)])
def test_numbers_in_any_form_are_numbers(cell):
    assert number_cells.number(cell) is not None


@pytest.mark.parametrize("cell", ["twelve", "1,5", "inf", True, "1_000", [1.0]])
def test_what_is_no_finite_number_is_none(cell):
    assert number_cells.number(cell) is None


def test_a_word_where_a_number_is_wanted_is_named_by_row_and_column():
    given = rows()
    given[4]["age"] = "twelve"
    with pytest.raises(InputError) as caught:
        read(given)
    assert caught.value.code == "bad_number"
    assert "row 5, column 'age': 'twelve'" in caught.value.received


def test_rows_that_lack_a_number_are_left_out_and_told():
    given = rows()
    given[2]["age"], given[7]["size"] = None, "NA"
    reading = read(given)
    assert len(reading.train) == 10
    (finding,) = [one for one in reading.findings if one.code == "missing_number"]
    assert finding.rows == (3, 8)
    assert "'age' (1)" in finding.message


def test_rows_most_of_which_lack_a_number_are_refused():
    given = rows()
    for row in given[:7]:
        row["age"] = None
    with pytest.raises(InputError) as caught:
        read(given, numbers=("size", "age"))
    assert caught.value.code == "mostly_incomplete"
    assert "'age' (7)" in caught.value.received


def test_a_row_to_be_answered_that_lacks_a_number_is_refused_by_its_cell():
    given = rows()
    given[2]["age"] = None
    with pytest.raises(InputError) as caught:
        list(TASK.stream(given, Columns(numbers=("size", "age"), label="price"), 100))
    assert caught.value.code == "missing_number"
    assert "row 3, column 'age'" in caught.value.received


def test_decimal_commas_are_refused_with_what_to_do():
    given = [{"a": f"{i},5", "price": i * 2} for i in range(12)]
    with pytest.raises(InputError) as caught:
        read(given)
    assert caught.value.code == "decimal_comma"
    assert "decimal=','" in caught.value.next


def test_rows_without_a_target_are_kept_apart():
    given = rows()
    given[3]["price"] = None
    reading = read(given)
    assert reading.train.answered.tolist() == [i != 3 for i in range(12)]
    assert "unlabelled" in codes(reading)


# --- columns that say nothing -----------------------------------------------------------------


def test_constant_and_copied_columns_are_left_out_and_told():
    given = rows(floors=[2] * 12, metres=[20.0 + i * i for i in range(12)])
    reading = read(given)
    assert reading.columns.numbers == ("size", "age")
    told = {one.code: one.message for one in reading.findings}
    assert "floors" in told["constant_column"]
    assert "metres (as size)" in told["same_column"]
    assert all(len(row) == 2 for row in reading.train.inputs)


def test_columns_that_are_all_constant_are_refused():
    with pytest.raises(InputError, match="one number in all rows"):
        read([{"a": 1, "price": i} for i in range(12)])


# --- the target -------------------------------------------------------------------------------


def test_a_target_with_two_values_is_told_to_look_like_classification():
    given = [{**row, "price": i % 2} for i, row in enumerate(rows())]
    assert "target_has_two_values" in codes(read(given))


def test_a_target_of_words_is_told_to_be_classification():
    given = [{**row, "price": "dear" if i % 2 else "cheap"} for i, row in enumerate(rows())]
    with pytest.raises(InputError) as caught:
        read(given, label="price")
    assert caught.value.code == "target_not_numeric"
    assert "--task text_classification" in caught.value.next


def test_a_constant_target_is_refused():
    with pytest.raises(InputError, match="same in every row"):
        read([{**row, "price": 4} for row in rows()])


# --- sides ------------------------------------------------------------------------------------


def test_a_split_column_and_a_test_source_part_the_rows():
    side = ["train"] * 8 + ["test"] * 4
    by_column = read(rows(split=side))
    by_source = read(rows()[:8], rows()[8:])
    for reading in (by_column, by_source):
        assert reading.test is not None
        assert (len(reading.train), len(reading.test)) == (8, 4)
    assert by_column.test.inputs == by_source.test.inputs


def test_test_rows_that_are_learned_from_are_left_out():
    reading = read(rows()[:8], rows()[6:])
    assert len(reading.test) == 4
    (finding,) = [one for one in reading.findings if one.code == "test_overlap"]
    assert finding.rows == (1, 2)
    with pytest.raises(InputError, match="nothing is left to judge by"):
        read(rows(), rows())


def test_equal_rows_of_numbers_are_kept_and_told_and_copies_of_texts_left_out():
    given = [*rows(), rows()[3]]
    reading = read(given)
    assert len(reading.train) == 13
    assert "equal_rows" in codes(reading)
    texts = [{"text": f"number {i % 11} of a few words", "y": i % 11} for i in range(22)]
    assert len(read(texts).train) == 11


def test_groups_weights_and_slices_come_with_the_rows():
    given = rows(shop=["a", "b", "c", "d"] * 3, heavy=[1, 2, 3] * 4)
    reading = read(given, group="shop", weight="heavy", slices=("shop",))
    assert reading.train.groups is not None
    assert len(set(reading.train.groups.tolist())) == 4
    assert reading.train.weights.mean() == pytest.approx(1)
    assert reading.train.slices["shop"].tolist() == ["a", "b", "c", "d"] * 3
    assert reading.columns.numbers == ("size", "age")
