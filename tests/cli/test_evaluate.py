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
