"""``supertune evaluate``: scores on rows that the model has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.conftest import Files, Run, write_rows

import supertune as product
from supertune.data import readers


def test_the_score_is_that_of_the_predictions(
    supertune: Run, words: Path, reviews: Files, here: Path
) -> None:
    done = supertune("evaluate", words, reviews.test, "--json")
    assert (done.code, done.err) == (0, "")
    answer = done.answer
    supertune("predict", words, reviews.test, "-o", "p.csv")
    table = readers.read(here / "p.csv")
    right = [
        str(a) == str(b)
        for a, b in zip(table.values["prediction"], table.values["mood"], strict=True)
    ]
    assert answer["estimate"]["value"] == pytest.approx(np.mean(right))
    assert answer["estimate"]["low"] < answer["estimate"]["value"] < answer["estimate"]["high"]
    assert "60" in answer["estimate"]["how"] or answer["estimate"]["rows"] == 60
    assert answer["rows"] == 60
    assert {"majority", "bag_of_words"} <= set(answer["baselines"])
    assert answer["baselines"]["bag_of_words"]["value"] == answer["estimate"]["value"]
    assert {"macro_f1", "log_loss"} <= set(answer["metrics"])
    assert sum(map(sum, answer["confusion"]["counts"])) == 60
    assert [part["label"] for part in answer["per_class"]] == ["negative", "positive"]
    assert answer["next"]


def test_a_backbone_brings_the_label_names_as_a_baseline(
    supertune: Run, probe: Path, reviews: Files
) -> None:
    answer = supertune("evaluate", probe, reviews.test, "--json").answer
    assert {"majority", "label_names", "bag_of_words"} == set(answer["baselines"])


def test_slices_and_other_column_names(
    supertune: Run, words: Path, reviews: Files, here: Path
) -> None:
    rows = [(t, y, "new" if i < 20 else "old") for i, (t, y) in enumerate(reviews.held)]
    write_rows(here / "r.csv", rows, ("comment", "feeling", "era"))
    done = supertune(
        *("evaluate", words, "r.csv", "--text", "comment", "--label", "feeling"),
        *("--slice", "era", "--json"),
    )
    assert done.code == 0, done.out
    parts = {part["value"]: part["rows"] for part in done.answer["slices"]["era"]}
    assert parts == {"new": 20, "old": 40}
    whole = done.answer["estimate"]["value"]
    each = [part["estimate"]["value"] * part["rows"] for part in done.answer["slices"]["era"]]
    assert sum(each) / 60 == pytest.approx(whole)


def test_people_see_tables_and_a_next_step(supertune: Run, words: Path, reviews: Files) -> None:
    done = supertune("evaluate", words, reviews.test)
    assert done.code == 0
    for part in ("Accuracy", "This model", "Macro F1", "Precision", "negative", "Next"):
        assert part.lower() in done.out.lower(), part
    assert f"supertune compare {words} OTHER-MODEL" in done.out


def test_rows_of_one_class_can_be_judged(
    supertune: Run, words: Path, reviews: Files, here: Path
) -> None:
    rows = [row for row in reviews.held if row[1] == "positive"][:4]
    write_rows(here / "r.csv", rows, ("sentence", "mood"))
    done = supertune("evaluate", words, "r.csv", "--json")
    assert done.code == 0, done.out
    assert done.answer["rows"] == 4


def test_the_command_and_python_say_the_same(supertune: Run, words: Path, reviews: Files) -> None:
    answer = supertune("evaluate", words, reviews.test, "--json").answer
    found = product.load(words).evaluate(reviews.test)
    assert answer["estimate"] == found["estimate"]
    assert answer["metrics"] == found["metrics"]


def test_rows_from_elsewhere_are_compared_with_a_file(
    supertune: Run, probe: Path, reviews: Files, here: Path
) -> None:
    rows = [("le film est " + t, y) for t, y in reviews.held if y == "positive"]
    write_rows(here / "other.csv", rows, ("sentence", "mood"))
    answer = supertune("evaluate", probe, reviews.test, "--shift", "other.csv", "--json").answer
    found = answer["shift"]
    change = found["scores"]["accuracy"]
    assert change["source"] == answer["estimate"]["value"]
    assert change["difference"] == pytest.approx(change["shifted"] - change["source"])
    assert change["low"] < change["difference"] < change["high"]
    by_label = {one["name"]: one for one in found["answers"]}
    assert by_label["negative"]["shifted"] == 0
    assert by_label["positive"]["shown"]
    assert found["features"]["shown"]
    assert found["text"]


def test_rows_from_elsewhere_need_neither_labels_nor_a_file_beside_them(
    supertune: Run, words: Path, reviews: Files, here: Path
) -> None:
    write_rows(here / "new.csv", [(text,) for text, _ in reviews.held], ("sentence",))
    done = supertune("evaluate", words, "--shift", "new.csv", "--json")
    assert (done.code, done.err) == (0, "")
    found = done.answer["shift"]
    assert found["scores"] == {}
    assert found["answers_estimated"]
    assert {one["name"] for one in found["answers"]} == {"negative", "positive"}
    assert "Label 50 rows" in done.answer["next"][0]
    told = supertune("evaluate", words, "--shift", reviews.test)
    assert "its own rows" in told.out


def test_without_rows_there_is_nothing_to_judge(supertune: Run, words: Path) -> None:
    done = supertune("evaluate", words, "--json")
    assert (done.code, done.error["code"]) == (2, "nothing_to_judge")
