"""``--max-error``, rows unlike those learned from, and calibration: from fit to a saved model."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import Files, Run, write_rows

import supertune as product
from supertune.catalogue.corpora import few_shot
from supertune.model import Model

TITLES = ("text", "topic")
OPTIONS: dict[str, Any] = {
    "method": "linear_probe",
    "backbone": "minilm",
    "max_length": 64,
    "repeats": 2,
}
LIMIT = 0.1


@dataclasses.dataclass(frozen=True)
class News:
    model: Path
    held: Path
    texts: list[str]


@pytest.fixture(scope="module")
def news(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> News:
    """A model of 100 rows that was fitted under a limit, without its rows, and rows to judge by."""
    folder = tmp_path_factory.mktemp("news")
    rows, held = few_shot("bbc-news", per_class=20, test_rows=80, seed=3)
    train = write_rows(folder / "train.csv", rows, TITLES)
    product.fit(train, output=folder / "model", max_error=LIMIT, keep_rows=False, **OPTIONS)
    judged = write_rows(folder / "held.csv", held, TITLES)
    return News(folder / "model", judged, [text for text, _ in held])


@pytest.fixture(scope="module")
def model(news: News) -> Model:
    return product.load(news.model)


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_what_is_not_answered_has_an_empty_cell_and_says_so(
    supertune: Run, news: News, model: Model, here: Path
) -> None:
    done = supertune("predict", news.model, news.held, "-o", "a.csv", "--json")
    rows, told = cells(here / "a.csv"), json.loads(done.out)
    left = [row["abstained"] == "True" for row in rows]
    assert 0 < sum(left) < len(rows)
    assert [row["prediction"] == "" for row in rows] == left
    assert told["abstained"] == sum(left)
    assert sum(told["predictions"].values()) == len(rows) - sum(left)
    least = model.abstains(LIMIT)
    assert least is not None
    assert [float(row["confidence"]) < least.value for row in rows] == left


def test_python_abstains_as_the_command_does(news: News, model: Model) -> None:
    asked = model.predictions(news.texts, max_error=LIMIT)
    by_default = model.predict(news.texts).tolist()
    assert by_default == [row["prediction"] for row in asked.listed()]
    assert None in by_default
    everything = model.predictions(news.texts, max_error=0.9)
    assert everything.marks()["abstained"] == 0
    assert len(model.predict_proba(news.texts)) == len(news.texts)


def test_below_the_floor_nothing_is_answered_and_the_missing_rows_are_counted(
    supertune: Run, news: News, here: Path
) -> None:
    done = supertune("predict", news.model, news.held, "-o", "a.csv", "--max-error", "1%")
    assert {row["prediction"] for row in cells(here / "a.csv")} == {""}
    said = " ".join(done.out.split())
    assert "takes at least 299 labelled rows without an error, and 199 of them are missing" in said


def test_the_report_and_evaluate_say_how_many_rows_it_would_answer(
    supertune: Run, news: News, model: Model
) -> None:
    found = model.report.data["abstaining"]
    share = next(row["answered"] for row in found["table"] if row["max_error"] == LIMIT)
    assert f"To be right 90 times in 100, it would answer about {100 * share:.0f} %" in str(
        model.report
    )
    assert "Wrong at most" in model.report.html()
    judged = json.loads(supertune("evaluate", news.model, news.held, "--json").out)
    row = next(row for row in judged["abstaining"]["table"] if row["max_error"] == LIMIT)
    answered = model.predictions(news.texts).marks()["abstained"]
    assert row["test"]["answered"] == row["test"]["rows"] - answered
    assert row["test"]["error"]["rows"] == row["test"]["answered"]
    assert supertune("evaluate", news.model, news.held).code == 0


def test_texts_of_another_kind_are_marked_and_the_likes_of_the_rows_are_not(
    supertune: Run, news: News, model: Model, reviews: Files, here: Path
) -> None:
    like = model.predictions(news.texts).marks()["unlike"] / len(news.texts)
    foreign = model.predictions(reviews.texts).marks()["unlike"] / len(reviews.texts)
    assert like < 0.15
    assert foreign > 0.4
    supertune("predict", news.model, reviews.test, "--text", "sentence", "-o", "a.csv")
    marked = [row["unlike"] for row in cells(here / "a.csv")]
    assert set(marked) <= {"True", "False"}
    assert marked.count("True") / len(marked) > 0.4
    said = supertune("predict", news.model, reviews.texts[0], reviews.texts[1])
    assert "(unlike the rows learned from)" in said.out


def test_a_fresh_load_says_the_same_bit_for_bit(news: News, model: Model, tmp_path: Path) -> None:
    first = model.predictions(news.texts).listed()
    assert product.load(news.model).predictions(news.texts).listed() == first
    assert not (news.model / "rows.jsonl").exists()
    warm = dataclasses.replace(
        model, calibration={**model.calibration, "temperature": np.array([2.0])}
    )
    warm.save(tmp_path / "warm")
    again = product.load(tmp_path / "warm").predict_proba(news.texts)
    assert np.array_equal(again, warm.predict_proba(news.texts))
    plain = np.sqrt(model.predict_proba(news.texts))
    assert again == pytest.approx(plain / plain.sum(axis=1, keepdims=True))


def test_a_head_is_exported_as_calibrated(model: Model) -> None:
    from supertune.api.exporting import _sourced

    warm = dataclasses.replace(
        model, calibration={**model.calibration, "temperature": np.array([2.0])}
    )
    one, two = (_sourced(each, merge=True).readout["head.weight"] for each in (model, warm))
    assert two == pytest.approx(one / 2)
    assert two.dtype == one.dtype


def test_probabilities_that_claim_too_much_are_calibrated_and_the_report_says_so(
    reviews: Files, own_activations: Path
) -> None:
    given = [*reviews.rows, *reviews.held]
    bold = product.fit(given, method="bag_of_words", strength=1e5, repeats=2)
    done = bold.report.data["calibration"]
    assert done["temperature"] > 1
    assert done["after"] < done["before"]
    assert "were made less sure of themselves" in bold.report.html()
    assert "were made less sure of themselves" in str(bold.report)
    assert bold.report.data["metrics"]["log_loss"]["value"] == pytest.approx(done["after"])
    raw = bold.tuned.logits(reviews.texts, None)
    odds = np.log(bold.predict_proba(reviews.texts))
    gap = (raw[:, 1] - raw[:, 0]) / done["temperature"]
    assert odds[:, 1] - odds[:, 0] == pytest.approx(gap, abs=1e-9)


@pytest.mark.parametrize("share", ["0", "5", "100%", "-1", "few"])
def test_a_largest_error_that_is_no_share_is_refused(
    supertune: Run, words: Path, share: str
) -> None:
    done = supertune("predict", words, "a text", f"--max-error={share}", "--json")
    assert done.code == 2
    assert "5%" in str(done.error)


def test_values_have_no_largest_error(supertune: Run, here: Path) -> None:
    (here / "a.csv").write_text(
        "size,price\n" + "".join(f"{n},{3 * n + n % 4}\n" for n in range(30))
    )
    asked = ("fit", "a.csv", "--task", "regression", "--label", "price", "--max-error", "5%")
    assert supertune(*asked, "--json").error["code"] == "no_max_error"
    product.fit("a.csv", task="regression", label="price", output="model", method="linear_probe")
    done = supertune("predict", "model", "a.csv", "-o", "b.csv", "--max-error", "5%", "--json")
    assert (done.code, done.error["code"]) == (2, "no_max_error")
    assert not (here / "b.csv").exists()
    (here / "new.csv").write_text("size\n12\n5000\n")
    supertune("predict", "model", "new.csv", "-o", "c.csv")
    assert [row["unlike"] for row in cells(here / "c.csv")] == ["False", "True"]
