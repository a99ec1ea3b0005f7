"""A regression as a person does it: columns of numbers in, a model folder and values out."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import Run, write_rows

import supertune as st
from supertune.catalogue import bundled
from supertune.errors import InputError

FOLDER = {
    *("README.md", "calibration.safetensors", "recipe.yaml", "report.html", "report.json"),
    *("rows.jsonl", "supertune.json", "tuned.safetensors"),
}
FEW = ("--set", "repeats=2")


def table(path: Path, rows: list[dict[str, float]]) -> Path:
    return write_rows(path, [list(map(repr, row.values())) for row in rows], list(rows[0]))


@pytest.fixture(scope="module")
def diabetes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """300 patients to learn from and 142 others, as csv."""
    folder = tmp_path_factory.mktemp("diabetes")
    train, held = bundled.drawn("diabetes", test_rows=142, seed=0)
    return table(folder / "patients.csv", train), table(folder / "held.csv", held)


@pytest.fixture(scope="module")
def model(diabetes: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be written to."""
    folder = tmp_path_factory.mktemp("model") / "m"
    st.fit(diabetes[0], test=diabetes[1], task="regression", output=folder, repeats=2)
    return folder


@pytest.fixture(scope="module")
def report(model: Path) -> dict[str, Any]:
    return dict(json.loads((model / "report.json").read_text("utf-8")))


# --- fit --------------------------------------------------------------------------------------


def test_fit_says_what_it_understood_chose_and_found(
    supertune: Run, diabetes: tuple[Path, Path], here: Path
) -> None:
    done = supertune(
        "fit", diabetes[0], "--test", diabetes[1], "--task", "regression", *FEW, "--json"
    )
    assert (done.code, done.err) == (0, "")
    answer = done.answer
    assert {path.name for path in (here / "patients-model").iterdir()} == FOLDER
    assert (answer["task"], answer["backbone"], answer["metric"]) == ("regression", None, "mae")
    assert answer["labels"] == ["progression"]
    assert answer["columns"]["numbers"][:3] == ["age", "sex", "bmi"]
    assert answer["rows"] == 300
    assert set(answer["baselines"]) == {"mean"}
    assert [one["method"] for one in answer["candidates"]] == [
        "mean",
        "linear_regression",
        "linear_probe",
    ]
    test = answer["test"]
    assert 35 < test["low"] < test["value"] < test["high"] < 60
    assert test["rows"] == 142
    assert answer["verdict"]["answer"] == "yes"
    assert answer["verdict"]["difference"]["high"] < 0, "less of an error is better"


def test_the_simplest_within_one_standard_error_wins(report: dict[str, Any]) -> None:
    assert report["method"] == "linear_regression"
    status = {one["method"]: one["status"] for one in report["candidates"]}
    assert status == {
        "mean": "compared",
        "linear_regression": "chosen",
        "linear_probe": "compared",
    }


def test_noise_is_left_to_the_mean_and_the_verdict_says_no(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [{"a": float(a), "b": float(b), "y": float(y)} for a, b, y in rng.normal(size=(60, 3))]
    found = st.fit(rows, task="regression", repeats=2)
    assert found.method == "mean"
    assert found.report.data["verdict"]["answer"] == "no"
    assert "look for other columns" in " ".join(found.report.data["next"])


def test_the_report_shows_errors_curve_and_coefficients(
    model: Path, report: dict[str, Any]
) -> None:
    assert set(report["metrics"]) == {"mae", "rmse", "r2"}
    for one in report["metrics"].values():
        assert one["low"] <= one["value"] <= one["high"]
        assert "bootstrap over rows" in one["how"]
    assert len(report["residuals"]["points"]) == 142
    names = [one["name"] for one in report["notes"]["coefficients"]]
    assert names == [*report["data"]["columns"]["numbers"], "offset"]
    page = (model / "report.html").read_text("utf-8")
    for words in ("Predicted and true values", "How it learned", "Coefficients", "MAE", "bmi"):
        assert words in page
    assert page.count('<svg class="reliability') == 3
    assert "Precision" not in page
    assert "Confusions" not in page
    card = (model / "README.md").read_text("utf-8")
    assert "tabular-regression" in card
    assert "model.predict([{'age': 0.0" in card


def test_intervals_of_the_report_hold_about_nine_of_ten_test_rows(report: dict[str, Any]) -> None:
    held = report["intervals"]["held"]
    assert report["intervals"]["coverage"] == 0.9
    assert held["low"] <= 0.9 <= held["high"]


def test_a_gradient_that_is_asked_for_is_taken(
    supertune: Run, diabetes: tuple[Path, Path], here: Path
) -> None:
    options = [
        part
        for key in ("optimizer=momentum", "l2=0.1", "standardise=true", "folds=3", "repeats=1")
        for part in ("--set", key)
    ]
    arguments = ("--task", "regression", "--method", "linear_regression", *options)
    done = supertune("fit", diabetes[0], *arguments, "-o", "m", "--json")
    assert done.code == 0, done.out
    notes = json.loads(Path("m/report.json").read_text("utf-8"))["notes"]
    assert "penalty" in notes["about"]
    assert notes["curves"][0]["along"] == "epoch"


def test_plan_and_methods_know_it(supertune: Run, diabetes: tuple[Path, Path]) -> None:
    done = supertune("plan", diabetes[0], "--task", "regression", "--json")
    assert [one["method"] for one in done.answer["candidates"]] == [
        "mean",
        "linear_regression",
        "linear_probe",
    ]
    assert done.answer["next"] == ["supertune fit patients.csv --task regression -o my-model"]
    assert done.answer["data"]["target"]["name"] == "progression"
    assert "gradient descent" in supertune("methods", "linear_regression").out


def test_without_rows_nothing_of_a_row_is_kept(diabetes: tuple[Path, Path], tmp_path: Path) -> None:
    st.fit(diabetes[0], task="regression", output=tmp_path / "m", keep_rows=False, repeats=1)
    found = json.loads((tmp_path / "m" / "report.json").read_text("utf-8"))
    assert found["residuals"]["points"] == []
    assert found["rows"] == found["data"]["samples"] == []
    assert sum(found["residuals"]["counts"]) == 300
    assert not (tmp_path / "m" / "rows.jsonl").exists()


# --- predict ----------------------------------------------------------------------------------


def answers(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_predict_writes_value_low_and_high_beside_the_rows(
    supertune: Run, model: Path, diabetes: tuple[Path, Path], here: Path, suffix: str
) -> None:
    done = supertune("predict", model, diabetes[1], "-o", f"a.{suffix}", "--json")
    assert done.code == 0, done.out
    assert done.answer["predictions"] == {"progression": 142}
    if suffix == "csv":
        rows = answers(here / "a.csv")
    else:
        rows = [json.loads(line) for line in (here / "a.jsonl").read_text().splitlines()]
    values = st.load(model).predict([[float(row[n]) for n in NAMES] for row in rows])
    for row, value in zip(rows, values, strict=True):
        low, said, high = float(row["low"]), float(row["value"]), float(row["high"])
        assert said == pytest.approx(value, rel=1e-9)
        assert low < said < high
    held = [float(r["low"]) <= float(r["progression"]) <= float(r["high"]) for r in rows]
    assert 0.84 < np.mean(held) < 0.96


NAMES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


def test_a_smaller_coverage_is_a_narrower_interval(
    supertune: Run, model: Path, diabetes: tuple[Path, Path], here: Path
) -> None:
    widths = []
    for coverage in ("0.5", "0.9", "0.99"):
        out = f"{coverage}.csv"
        assert supertune("predict", model, diabetes[1], "-o", out, "--coverage", coverage).code == 0
        row = answers(here / out)[0]
        widths.append(float(row["high"]) - float(row["low"]))
    assert widths == sorted(widths)
    assert widths[0] < widths[1] / 2 < widths[2]


def test_rows_of_python_come_as_arrays_dicts_or_frames(model: Path) -> None:
    import pandas as pd

    loaded = st.load(model)
    rows = [[50.0, 1, 25, 90, 180, 100, 50, 4, 4.5, 90], [30, 2, 20, 80, 150, 90, 60, 3, 4.1, 80]]
    expected = loaded.predict(rows)
    assert expected.dtype == np.float64
    dicts = [dict(zip(NAMES, row, strict=True)) for row in rows]
    shuffled = pd.DataFrame(dicts)[list(reversed(NAMES))]
    for same in (np.array(rows), tuple(map(tuple, rows)), dicts, shuffled):
        np.testing.assert_array_equal(loaded.predict(same), expected)
    assert loaded.predict([]).shape == (0,)
    found = loaded.predictions(rows, coverage=0.8)
    assert (found.low < expected).all()
    assert (found.high > expected).all()
    assert repr(loaded) == "<supertune.Model linear_regression, progression>"


@pytest.mark.parametrize(
    "rows",
    [
        ["a text"],
        "a text",
        [[1.0, 2.0]],
        [[*range(9), "x"]],
        [[*range(9), float("nan")]],
        [{"age": 3.0}],
        [7.0],
        7.0,
        {"age": 3.0},
    ],
)
def test_rows_of_another_form_are_refused_by_their_number(model: Path, rows: Any) -> None:
    with pytest.raises(InputError) as caught:
        st.load(model).predict(rows)
    assert caught.value.code == "not_numbers"
    assert "age, sex" in caught.value.allowed


def test_probabilities_of_values_are_refused(model: Path) -> None:
    with pytest.raises(InputError, match="no probabilities"):
        st.load(model).predict_proba([[0.0] * 10])


# --- evaluate, compare, go on -----------------------------------------------------------------


def test_evaluate_scores_held_rows_as_the_fit_did(
    supertune: Run, model: Path, diabetes: tuple[Path, Path], report: dict[str, Any]
) -> None:
    done = supertune("evaluate", model, diabetes[1], "--json")
    found = done.answer
    assert found["estimate"]["value"] == pytest.approx(report["test"]["value"], rel=1e-12)
    assert set(found["metrics"]) == {"mae", "rmse", "r2"}
    assert set(found["baselines"]) == {"mean"}
    assert found["intervals"] == report["intervals"]
    shown = supertune("evaluate", model, diabetes[1]).out
    assert "MAE" in shown
    assert "R²" in shown
    assert "Precision" not in shown


def test_the_mean_stands_beside_it_without_the_rows_too(
    diabetes: tuple[Path, Path], tmp_path: Path
) -> None:
    st.fit(diabetes[0], task="regression", output=tmp_path / "m", keep_rows=False, repeats=1)
    with_rows = st.fit(diabetes[0], task="regression", repeats=1).evaluate(diabetes[1])
    without = st.load(tmp_path / "m").evaluate(diabetes[1])
    for found in (with_rows, without):
        assert found["baselines"]["mean"]["value"] == pytest.approx(
            with_rows["baselines"]["mean"]["value"], rel=1e-12
        )


def test_two_models_are_compared_on_the_same_rows(model: Path, diabetes: tuple[Path, Path]) -> None:
    floor = st.fit(diabetes[0], task="regression", method="mean", repeats=1)
    found = st.compare(model, floor, diabetes[1])
    assert found["answer"] == "a"
    assert found["difference"]["high"] < 0


def test_a_fit_goes_on_from_a_folder(
    model: Path, diabetes: tuple[Path, Path], tmp_path: Path
) -> None:
    _, held = bundled.drawn("diabetes", test_rows=142, seed=0)
    more = [{**row, "sex": 1.0} for row in held[:20]]  # constant in the new rows alone
    went_on = st.fit(more, from_=model, repeats=1)
    assert went_on.report.data["data"]["rows"] == 320
    assert went_on.columns.numbers == st.load(model).columns.numbers


def test_a_fit_does_not_go_on_with_other_columns(model: Path) -> None:
    rows = [{"a": float(i), "progression": float(i * i)} for i in range(20)]
    with pytest.raises(InputError, match=r"same columns|no column") as caught:
        st.fit(rows, from_=model, numbers=("a",), label="progression")
    assert caught.value.exit_code == 2


# --- a text -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("method", ["linear_probe", "linear_regression"])
def test_a_text_is_learned_from_through_an_encoder(
    method: str, measured_news: Callable[[], list[tuple[str, float]]], tmp_path: Path
) -> None:
    rows = measured_news()
    found = st.fit(
        rows[:40],
        test=rows[40:],
        task="regression",
        method=method,
        backbone="minilm",
        max_length=32,
        repeats=1,
        output=tmp_path / "m",
    )
    assert found.report.data["verdict"]["answer"] == "yes"
    assert found.report.data["backbone"] == "minilm"
    texts = [text for text, _ in rows[40:]]
    again = st.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(texts), found.predict(texts))
    assert "coefficients" not in found.report.data.get("notes", {})


@pytest.fixture(scope="session")
def measured_news(own_activations: Path) -> Callable[[], list[tuple[str, float]]]:
    """News with a value that goes with what each is about."""

    def made() -> list[tuple[str, float]]:
        from supertune.catalogue.corpora import few_shot

        drawn, _ = few_shot("bbc-news", per_class=12, test_rows=1, seed=0)
        worth = {"sport": 10.0, "sports": 10.0, "business": -10.0}
        noise = np.random.default_rng(0).normal(0, 1, len(drawn)).tolist()
        return [
            (text[:110], worth.get(label, 0.0) + off)
            for (text, label), off in zip(drawn, noise, strict=True)
        ]

    return made
