"""The study of intervals and choices, at a size that takes seconds, and the pools it draws from."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supertune import metrics
from supertune.config import recipe
from supertune.evaluation.breakdown import per_class_from_folds
from supertune.evaluation.intervals import from_folds

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", autouse=True)
def from_the_root() -> Any:
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(ROOT)
    yield
    patch.undo()


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


@pytest.fixture(scope="module")
def r8() -> Any:
    return module("pools").pool("r8", recipe({"backbone": "minilm", "max_length": 8}), rows=300)


@pytest.mark.parametrize("rows", [24, 64])
def test_a_pool_gives_each_label_two_rows_and_keeps_the_sides_apart(r8: Any, rows: int) -> None:
    held = np.bincount(r8.examples.targets)
    for seed in range(20):
        mine, others = r8.draw(rows, seed)
        assert len(mine) == rows
        assert not set(mine) & set(others)
        assert len(mine) + len(others) == len(r8.examples)
        drawn = np.bincount(r8.examples.targets[mine], minlength=len(held))
        assert (drawn >= np.minimum(2, held)).all()
    assert not set(r8.examples.take(mine).inputs) & set(r8.examples.take(others).inputs)
    np.testing.assert_array_equal(mine, r8.draw(rows, 19)[0])


def test_the_true_score_weighs_labels_as_the_drawn_rows_have_them(r8: Any) -> None:
    sides = [r8.draw(32, seed)[0] for seed in range(40)]
    weights = module("coverage_draws").composition(r8, sides)
    targets = r8.examples.targets
    drawn = np.bincount(targets[np.concatenate(sides)]) / (32 * 40)
    np.testing.assert_allclose(np.bincount(targets, weights) / weights.sum(), drawn)


def test_the_studys_arithmetic_is_that_of_reports() -> None:
    rng = np.random.default_rng(0)
    targets = np.tile([0, 1, 2], 10)
    answers = np.eye(3)[targets] * 0.3 + 0.7 * rng.dirichlet(np.ones(3), (4, 30))
    drawn = {
        "answers": answers[None], "targets": targets[None], "pool": np.full(3, 500),
        "accuracy": np.ones(1), "macro_f1": np.ones(1), "log_loss": np.ones(1),
        "recall": np.ones((1, 3)),
    }  # fmt: skip
    rivals = module("coverage_rivals")
    names = ["accuracy", "macro_f1", "log_loss"]
    whole = from_folds(metrics.classification, answers, targets, names, seed=0, folds=5)
    labels = iter(per_class_from_folds(answers, targets, seed=0, folds=5))
    seen = []
    for one in rivals.scores(drawn):
        wanted = whole[one.metric] if one.metric in names else next(labels)["recall"]
        low, high = rivals.shipped(one)
        got = (one.value[0], max(0.0, low[0]), high[0])
        assert got == pytest.approx((wanted.value, wanted.low, wanted.high), abs=1e-6)
        seen.append(one.metric)
    assert sorted(seen) == ["accuracy", "log_loss", "macro_f1", "recall", "recall", "recall"]


def test_a_cell_of_sixteen_rows_is_covered_where_rows_alone_do_not_cover_it() -> None:
    draws, rivals = module("coverage_draws"), module("coverage_rivals")
    (one,) = rivals.scores(draws.drawn("friedman1", 16, 80))
    found = rivals.judged([one])
    assert found["covered"]["shipped"] >= 0.9
    assert found["covered"]["central limit (Bayle et al. 2020)"] < 0.88
    assert found["width"]["shipped"] <= 1.6


def test_a_cell_that_misses_its_target_is_said_to() -> None:
    study, names = module("study_coverage"), list(module("coverage_rivals").RIVALS)

    def cell(data: str, covered: float, width: float) -> dict[str, Any]:
        metric = {key: dict.fromkeys(names, value) for key, value in
                  {"covered": covered, "width": width}.items()}  # fmt: skip
        return {"part": "intervals", "data": data, "rows": 32, "metrics": {"mae": metric}}

    choice = {"part": "choice", "rows": 16, "data": "pang-lee"}
    for key, value in {"corrected": 0.02, "raw": 0.05, "named": 0.0}.items():
        choice |= {key: value, f"{key}_error": 0.001}
    cells = [cell("friedman1", 0.9, 1.2), cell("friedman2", 0.98, 1.6)]
    found = {one.name: one for one in study.figures([*cells, choice])}
    assert found["coverage at 32 rows"].met
    assert not found["least coverage of a cell at 32 rows"].met
    assert not found["widest at 32 rows, median over the oracle's"].met
    assert found["coverage, cells that no constant was chosen on"].value == pytest.approx(98)
    assert not found["bias of the winner's accuracy at 16 rows, as printed"].met
    assert found["bias of the winner's accuracy at 16 rows, uncorrected"].met is None


def test_intervals_without_an_upper_end_are_counted_apart() -> None:
    rivals, study = module("coverage_rivals"), module("study_coverage")
    rng = np.random.default_rng(0)
    even, rare = np.tile([0, 1, 2], 10), np.array([0] * 14 + [1] * 14 + [2] * 2)
    targets = np.stack([even, even, rare, rare])
    answers = np.stack(
        [np.eye(3)[one] * 0.3 + 0.7 * rng.dirichlet(np.ones(3), (4, 30)) for one in targets]
    )
    (one,) = [
        one
        for one in rivals.scores(
            {"answers": answers, "targets": targets, "pool": np.zeros(3),
             "accuracy": np.ones(4), "log_loss": np.ones(4), "recall": np.ones((4, 3)),
             "macro_f1": np.array([0.0, 0.0, 1.0, 0.0])}
        )
        if one.metric == "macro_f1"
    ]  # fmt: skip
    found = rivals.judged([one])
    assert (found["open"], found["above"]) == (0.5, 0.5)
    assert found["covered"]["shipped"] == 0, "of the two draws with two ends"
    cell = {"part": "intervals", "data": "r8", "rows": 32, "metrics": {"macro_f1": found}}
    figures = {figure.name: figure for figure in study.figures([cell])}
    (told,) = [figure for name, figure in figures.items() if name.startswith("lower end of macro")]
    assert (told.value, told.met) == (50, False)
    all_open = {**cell, "metrics": {"macro_f1": {**found, "open": 1.0, "covered": {}, "width": {}},
                                    "accuracy": {**found, "open": 0.0}}}  # fmt: skip
    assert (
        "extremes of 1 cells"
        in {figure.name: figure.spread for figure in study.figures([all_open])}[
            "coverage at 32 rows"
        ]
    )


def test_every_cell_has_four_rows_a_label() -> None:
    study = module("study_coverage")
    for item in study.plan(False):
        assert item["rows"] >= 4 * study.LABELS.get(item["data"], 1)
    assert {item["rows"] for item in study.plan(False) if item["part"] == "intervals"} == {
        16, 32, 64, 200,
    }  # fmt: skip
