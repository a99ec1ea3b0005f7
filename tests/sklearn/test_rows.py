import numpy as np
import pandas as pd
import pytest

from supertune.sklearn.rows import distinct, texts


@pytest.mark.parametrize(
    "rows",
    [
        np.array(["one", "two"]),
        [np.str_("one"), np.str_("two")],
        np.array([["one"], ["two"]]),
        pd.DataFrame({"text": ["one", "two"]}),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_texts_become_plain_strings_whatever_held_them(rows):
    # NumPy's own strings have another repr, and with it another cache key.
    assert [type(text) for text in texts(rows)] == [str, str]
    assert texts(rows) == ["one", "two"]


def test_parts_of_a_pair_become_plain_strings_too():
    pair = texts(np.array([["one", "two"]]))[0]
    assert pair == ("one", "two")
    assert {type(part) for part in pair} == {str}


@pytest.mark.parametrize(
    "rows", [[[1.0, 2.0]], [[1, None]], np.ones((2, 2)), np.ones((2, 0)), [3, 4], [[]]]
)
def test_numbers_are_left_to_scikit_learn(rows):
    assert texts(rows) is None


def test_equal_rows_with_equal_labels_are_one_of_their_weight():
    rows = ["a", "b", "a", "a", "c"]
    index, weights = distinct(rows, np.array([0, 1, 0, 1, 0]), np.array([1.0, 1, 2, 1, 0]))
    found = {(rows[i], int(w)) for i, w in zip(index, weights, strict=True)}
    assert found == {("a", 3), ("b", 1), ("a", 1)}
