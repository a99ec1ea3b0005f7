"""Rows and options of a regression that are refused, each by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bad_inputs.conftest import Bad, Refused, both, file

TITLE = "size,age,price\n"
LINES = [f"{20 + i * i},{7 * i % 11},{3 * i + 1}\n" for i in range(12)]
GOOD = TITLE + "".join(LINES)
good = file(GOOD)
REVIEWS = "review,score\n" + "".join(f"a film of {i} acts,{i / 2}\n" for i in range(12))


def changed(row: int, line: str) -> Bad:
    lines = list(LINES)
    lines[row - 1] = line
    return Bad("bad_number", file(TITLE + "".join(lines)), said=f"row {row}")


def asked(code: str, *options: str, said: str = "") -> Bad:
    return Bad(code, good, ("rows.csv", *options), said)


BAD = {
    "a word where a number is wanted": changed(4, "29,old,10\n"),
    "a word in the target": changed(6, "45,2,dear\n"),
    "an infinite number": changed(2, "inf,7,4\n"),
    "decimal commas": Bad(
        "decimal_comma",
        file("size;price\n" + "".join(f"{i},5;{i * i}\n" for i in range(12))),
        said="1.5",
    ),
    "a target of words": Bad(
        "target_not_numeric",
        file("size,price\n" + "".join(f"{i},{'dear' if i % 2 else 'cheap'}\n" for i in range(12))),
        ("rows.csv", "--label", "price"),
        "text_classification",
    ),
    "no numbers at all": Bad(
        "no_target_column", file("text,label\n" + "good film,good\nbad film,bad\n" * 4)
    ),
    "a target alone": Bad("nothing_to_read", file("price\n" + "1\n2\n4\n7\n")),
    "a target that is the same in all rows": Bad(
        "constant_target", file(TITLE + "1,2,5\n2,3,5\n3,5,5\n4,1,5\n")
    ),
    "no target in any row": Bad(
        "no_targets",
        file(TITLE + "1,2,\n2,3,\n3,5,\n"),
        ("rows.csv", "--label", "price", "--column", "size"),
    ),
    "two rows": Bad("too_few_rows", file("".join([TITLE, *LINES[:2]]))),
    "columns that do not vary": Bad(
        "nothing_varies", file("size,price\n" + "".join(f"7,{i}\n" for i in range(8)))
    ),
    "rows that mostly lack a number": Bad(
        "mostly_incomplete",
        file(TITLE + "".join(f"{i},,{i}\n" for i in range(8)) + "".join(LINES[:6])),
        ("rows.csv", "--column", "size", "--column", "age"),
        "'age' (8)",
    ),
    "numbers and a text": Bad(
        "mixed_columns",
        file("size,review,price\n" + "".join(f"{i},a film of {i} acts,{i}\n" for i in range(12))),
        said="--text review",
    ),
    "a text and named numbers": Bad(
        "mixed_columns", good, ("rows.csv", "--text", "size", "--column", "age")
    ),
    "two targets that are as likely": Bad(
        "ambiguous_columns", file("size,price,cost\n" + "1,2,3\n2,3,4\n3,4,6\n4,5,9\n")
    ),
    "a column of numbers that is not there": asked(
        "number_column_missing", "--column", "sise", said="'size'"
    ),
    "a target that is not there": asked("label_column_missing", "--label", "prize", said="'price'"),
    "a column twice": asked("column_twice", "--column", "size", "--column", "size"),
    "the target as a column": asked("column_twice", "--label", "price", "--column", "price"),
    "a method for labels": asked(
        "method_does_not_fit", "--method", "bag_of_words", said="linear_regression"
    ),
    "a method of gradients": asked("method_does_not_fit", "--method", "lora"),
    "a backbone for numbers": asked(
        "numbers_take_no_backbone", "--backbone", "minilm", said="--text"
    ),
    "a metric of labels": asked("unknown_metric", "--metric", "accuracy", said="mae"),
    "class weights": asked("no_classes", "--set", "class_weights=balanced", said="--weight"),
    "costs": asked("no_classes", "--set", "cost_matrix=[[0, 1], [1, 0]]"),
    "an unknown optimizer": asked(
        "bad_option", "--method", "linear_regression", "--set", "optimizer=magic", said="momentum"
    ),
    "a batch for lbfgs": asked(
        "bad_option", "--method", "linear_regression", "--set", "batch_size=8", said="sgd"
    ),
    "a negative penalty": asked("bad_option", "--method", "linear_regression", "--set", "l2=-1"),
    "a text without a backbone": Bad(
        "nothing_fits",
        file(REVIEWS),
        ("rows.csv", "--method", "linear_regression", "--backbone", "none"),
    ),
    "test rows that are learned from": Bad(
        "test_overlap", both(good, file(GOOD, "held.csv")), ("rows.csv", "--test", "held.csv")
    ),
    "test rows without a column": Bad(
        "number_column_missing",
        both(good, file("size,price\n1,2\n", "held.csv")),
        ("rows.csv", "--test", "held.csv"),
        "age",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_regression_is_refused(refused: Refused, here: Path, name: str) -> None:
    bad = BAD[name]
    bad.make(here)
    arguments = (*bad.arguments, "--task", "regression", "-o", "model")
    refused("fit", *arguments, code=bad.code, said=bad.said)


@pytest.fixture
def model(supertune, here: Path) -> Path:
    (here / "rows.csv").write_text(GOOD)
    done = supertune("fit", "rows.csv", "--task", "regression", "-o", "model", "--json")
    assert done.code == 0, done.out
    return here / "model"


ASKED = {
    "a row that lacks a number": Bad(
        "missing_number", file("size,age\n1,\n", "new.csv"), ("new.csv", "-o", "a.csv"), "row 1"
    ),
    "a row with a word": Bad(
        "bad_number", file("size,age\n1,old\n", "new.csv"), ("new.csv", "-o", "a.csv"), "'old'"
    ),
    "a file without a column": Bad(
        "number_column_missing", file("size\n1\n", "new.csv"), ("new.csv", "-o", "a.csv"), "age"
    ),
    "a text": Bad("not_numbers", arguments=("some words",), said="csv"),
    "a coverage above one": Bad(
        "bad_coverage",
        file("size,age\n1,2\n", "new.csv"),
        ("new.csv", "-o", "a.csv", "--coverage", "90"),
        "0.9",
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_bad_question_is_refused(supertune, model: Path, here: Path, name: str) -> None:
    bad = ASKED[name]
    bad.make(here)
    done = supertune("predict", model, *bad.arguments, "--json")
    assert (done.code, done.error["code"]) == (2, bad.code), done.out
    assert bad.said in str(done.error)
    assert not (here / "a.csv").exists()


def test_a_coverage_for_labels_is_refused(supertune, words: Path) -> None:
    done = supertune("predict", words, "a text", "--coverage", "0.9", "--json")
    assert done.error["code"] == "no_intervals"
