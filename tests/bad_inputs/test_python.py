"""Calls of the Python interface that are refused with the same words as commands."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bad_inputs.conftest import ROWS, SECONDS, check_words
from tests.conftest import Files

import supertune
from supertune.errors import SupertuneError

TEXTS = [text for text, _ in ROWS]

# How fit answers what is no source of rows.
FITS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "no rows": ("no_rows", [], {}),
    "None": ("unknown_source", None, {}),
    "a number": ("unknown_source", 7, {}),
    "bytes": ("unknown_source", b"text,label", {}),
    "a set": ("unknown_source", {("a", "b")}, {}),
    "numbers": ("unknown_rows", [1, 2, 3], {}),
    "triples of different lengths": ("mixed_rows", [("a", "b"), ("a", "b", "c")], {}),
    "texts without labels": ("no_label_column", TEXTS, {}),
    "texts that are numbers": ("*", [(1, "a"), (2, "b"), (3, "a"), (4, "b")], {}),
    "an unknown option": ("bad_recipe", ROWS, {"methood": "lora"}),
    "options of the wrong type": ("bad_recipe", ROWS, {"folds": "many"}),
    "epochs below zero": ("bad_option", ROWS, {"method": "full", "epochs": -1}),
    "a metric that is none": ("unknown_metric", ROWS, {"metric": "beauty"}),
    "a time limit below zero": ("bad_recipe", ROWS, {"time_limit": -1}),
    "a time limit that is no number": ("bad_recipe", ROWS, {"time_limit": float("nan")}),
    "an output below a file": ("output_parent_missing", ROWS, {"output": Path(__file__) / "m"}),
    "an output that is a file": ("output_is_file", ROWS, {"output": __file__}),
    "going on from nowhere": ("model_missing", ROWS, {"from_": "no-such-model"}),
}


def refused(call: Callable[[], object], code: str) -> None:
    started = time.process_time()
    with pytest.raises(SupertuneError) as caught:
        call()
    assert time.process_time() - started < SECONDS
    assert caught.value.exit_code == 2
    if code == "*":
        code = caught.value.code
    check_words(caught.value.as_dict(), code, "")
    assert caught.value.message in str(caught.value)


@pytest.mark.parametrize("name", FITS)
def test_fit_refuses(name: str, unchanged: Callable[[], None]) -> None:
    code, data, options = FITS[name]
    unchanged()
    refused(lambda: supertune.fit(data, **options), code)
    unchanged()


PREDICTS: dict[str, tuple[str, Any]] = {
    "one text": ("one_text_given", "a fine film"),
    "bytes": ("one_text_given", b"a fine film"),
    "None": ("not_texts", None),
    "a number": ("not_texts", 3.5),
    "numbers": ("not_a_text", [1, 2]),
    "None among texts": ("not_a_text", ["a fine film", None]),
    "not a number among texts": ("not_a_text", ["a fine film", float("nan")]),
    "lists": ("not_a_text", [["a", "b"]]),
    "a pair of numbers": ("not_a_text", [(1, 2)]),
    "an empty pair": ("not_a_text", [()]),
    "a table of numbers": ("not_a_text", np.zeros((2, 2))),
    "dates": ("not_a_text", [dt.date(2024, 5, 1)]),
}


@pytest.mark.parametrize("name", PREDICTS)
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_predict_refuses(words: Path, name: str, method: str) -> None:
    code, inputs = PREDICTS[name]
    refused(lambda: getattr(supertune.load(words), method)(inputs), code)


def test_load_refuses_what_is_no_folder(reviews: Files, tmp_path: Path) -> None:
    refused(lambda: supertune.load(reviews.train), "not_a_model")
    refused(lambda: supertune.load(tmp_path / "none"), "model_missing")
    refused(lambda: supertune.load("nul\0name"), "bad_folder_name")


def test_save_refuses_to_replace(words: Path, tmp_path: Path) -> None:
    model = supertune.load(words)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "letter.txt").write_text("dear")
    refused(lambda: model.save(tmp_path / "m"), "output_exists")
    refused(lambda: model.save(tmp_path / "m", overwrite=True), "output_not_a_model")
    assert [path.name for path in tmp_path.joinpath("m").iterdir()] == ["letter.txt"]


def test_compare_refuses_models_of_other_labels(words: Path, reviews: Files) -> None:
    other = supertune.fit(ROWS, method="bag_of_words", folds=2, repeats=1)
    refused(lambda: supertune.compare(words, other, reviews.test), "labels_differ")


def test_an_error_is_a_value_error_where_it_is_about_a_value() -> None:
    with pytest.raises(ValueError, match="method"):
        supertune.fit(ROWS, method="lorra")


def test_there_are_at_least_sixty_named_bad_inputs() -> None:
    from tests.bad_inputs import test_files, test_folders, test_options

    tables = (test_files.FILES, test_options.OPTIONS, test_folders.DAMAGE, test_folders.ASKED)
    assert sum(map(len, (*tables, FITS, PREDICTS))) >= 60
