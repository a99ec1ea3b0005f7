"""What of a pool may be proposed."""

from __future__ import annotations

from pathlib import Path

import pytest

from supertune.contracts import Columns
from supertune.errors import InputError
from supertune.labelling import pool as pools

TASK = "text_classification"


def read(source: object, columns: Columns | None = None, **keys: object) -> pools.Pool:
    return pools.read(source, columns or Columns(), task=TASK, **keys)  # type: ignore[arg-type]


def test_each_text_once_also_where_it_is_nearly_the_same() -> None:
    long = (
        "The quick brown fox jumps over the lazy dog while everybody is watching it closely. " * 4
    )
    found = read([long, long, long.upper() + "!", "Something else entirely.", "", "  "])
    assert sorted(found.inputs) == sorted({found.inputs[0], found.inputs[1]})
    assert len(found) == 2
    assert (found.read, found.left_out) == (6, 2)


def test_what_is_labelled_is_not_in_it_nor_its_double() -> None:
    found = read(["A film about nothing.", "a film about NOTHING", "Another one."],
                 known=["A film about nothing."])  # fmt: skip
    assert found.inputs == ("Another one.",)


def test_answered_rows_stay_in_sight_and_their_doubles_go() -> None:
    whole = read(["A film about nothing.", "Another one."])
    kept = {whole.keys[whole.inputs.index("A film about nothing.")]}
    found = read(["A film about nothing.", "a film about NOTHING", "Another one."], kept=kept)
    assert sorted(found.inputs) == ["A film about nothing.", "Another one."]


def test_rows_that_have_a_label_of_their_own_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "half.csv"
    path.write_text("text,mood\ngood one,happy\nbad one,\nodd one,\n")
    found = read(path, Columns(text=("text",), label="mood"))
    assert sorted(found.inputs) == ["bad one", "odd one"]
    assert found.labelled == 1
    assert set(found.rows) == {2, 3}


def test_the_order_of_the_file_changes_nothing() -> None:
    texts = [f"text number {i} about {i * 7919 % 31} things" for i in range(50)]
    one, other = read(texts, most=20), read(texts[::-1], most=20)
    assert one.inputs == other.inputs
    assert (len(one), one.different) == (20, 50)


def test_the_columns_that_are_read_are_kept_as_they_came(tmp_path: Path) -> None:
    path = tmp_path / "pool.csv"
    path.write_text("title,body,price\nA,first body,1\nB,second body,2\n")
    found = read(path, Columns(text=("title", "body")))
    assert found.names == ("title", "body")
    assert sorted(cells["title"] for cells in found.cells) == ["A", "B"]
    assert all(set(cells) == {"title", "body"} for cells in found.cells)


@pytest.mark.parametrize(
    ("source", "keys", "code"),
    [
        (["", " "], {}, "nothing_to_label"),
        (["same"], {"known": ["same"]}, "nothing_to_label"),
        ([], {}, "nothing_to_label"),
    ],
)
def test_a_pool_without_a_row_to_label_is_refused(source: list, keys: dict, code: str) -> None:
    with pytest.raises(InputError) as refused:
        read(source, **keys)
    assert refused.value.code == code
