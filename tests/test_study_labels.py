"""The study of which rows to label: how labels are counted, and that all choices are sound."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
CURVE = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, *[0.8] * 12]


@pytest.fixture(autouse=True, scope="module")
def from_root() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(ROOT)
    yield
    patch.undo()


def module(name: str) -> Any:
    return importlib.import_module(f"benchmarks.{name}")


def test_labels_are_read_off_between_two_batches() -> None:
    needed = module("study_labels").needed
    assert needed(CURVE, 0.45) == pytest.approx(8 * 3.5)
    assert needed(CURVE, 0.1) == 8
    assert needed(CURVE, 0.81) == float("inf")
    assert needed([0.2, 0.5, 0.1, 0.6], 0.5) == 16


def test_a_curve_needs_as_many_labels_as_itself() -> None:
    study = module("study_labels")
    rising = [0.1 + 0.04 * step for step in range(20)]
    assert list(study.ratios(rising, rising).values()) == pytest.approx([1.0] * 15)
    twice = [rising[min(19, 2 * step + 1)] for step in range(20)]
    assert max(study.ratios(twice, rising).values()) <= 0.5 + 1e-9


def test_what_is_never_reached_counts_against_it() -> None:
    study = module("study_labels")
    found = study.ratios([0.5] * 20, CURVE)
    assert found[128] > study.WORST
    draws = [
        {"data": "r8", "strategy": name, "accuracy": curve}
        for name, curve in (("random", CURVE), ("supertune", [0.5] * 20))
    ]
    assert [figure.met for figure in study.figures(draws)[:2]] == [False, False]


def test_every_choice_takes_rows_that_have_no_label_and_none_twice() -> None:
    study, strategies = module("study_labels"), module("label_strategies")
    rng = np.random.default_rng(0)
    where = rng.integers(0, 4, 160)
    features = np.eye(8)[where] + 0.3 * rng.standard_normal((160, 8))
    rows = study.Rows(features[:100], where[:100], features[100:], where[100:])
    for name, strategy in strategies.STRATEGIES.items():
        found = study.curve(rows, strategy, 48, np.random.default_rng(1))
        assert len(found) == 6
        assert found[-1] > 0.6, name
