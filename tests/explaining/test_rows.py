"""Labelled rows that spoke for and against an answer: exact, by leaving one out."""

from __future__ import annotations

import numpy as np
import pytest
from tests.explaining.conftest import Fitted

from supertune.methods import linear_probe
from supertune.methods.linear_probe import LinearProbeOptions, RidgeBatch


@pytest.mark.parametrize("shape", [(14, 40), (30, 5)])
@pytest.mark.parametrize("kind", ["labels", "values", "several"])
@pytest.mark.parametrize("weighted", [False, True])
def test_influence_is_the_change_of_a_ridge_fitted_without_the_row(
    shape: tuple[int, int], kind: str, weighted: bool
) -> None:
    rng = np.random.default_rng(3)
    x, asked = rng.normal(size=shape), rng.normal(size=(4, shape[1]))
    n = shape[0]
    y = np.eye(3)[np.arange(n) % 3] if kind == "labels" else rng.normal(size=(n, 1))
    y = rng.integers(0, 2, (n, 2)).astype(float) if kind == "several" else y
    weights = rng.uniform(0.5, 2.0, n) if weighted else np.ones(n)
    # Standardising, or a penalty in units of the rows, would be another ridge without the row.
    batch = RidgeBatch(x[None], y[None], weights[None], kind == "several", valued=kind == "values")
    penalties = LinearProbeOptions().penalties
    penalty, heat = (float(one.ravel()[0]) for one in batch._chosen(penalties))
    lam = penalty * float(batch.scale[0])
    found = batch.influence(asked, penalties)
    whole = _answers(x, y, weights, lam, asked)
    for row in range(n):
        kept = np.delete(np.arange(n), row)
        without = _answers(x[kept], y[kept], weights[kept], lam, asked)
        assert found[:, row] == pytest.approx((whole - without) * heat, rel=1e-6, abs=1e-9)


def _answers(x, y, weights, lam, asked):
    """A ridge with a free offset, solved as one system of normal equations."""
    design = np.column_stack([np.ones(len(x)), x])
    scaled = design * weights[:, None]
    penalty = lam * np.diag([0.0, *np.ones(x.shape[1])])
    solved = np.linalg.solve(scaled.T @ design + penalty, scaled.T @ y)
    return np.column_stack([np.ones(len(asked)), asked]) @ solved


def test_the_refactored_ridge_still_answers_as_its_own_influences_add_up() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(12, 6)), np.eye(2)[np.arange(12) % 2]
    head = linear_probe.solve(x, y, np.ones(12), LinearProbeOptions().penalties, False)
    batch = RidgeBatch(x[None], y[None], np.ones((1, 12)), False)
    weight, bias = batch.best(LinearProbeOptions().penalties)
    assert head.apply(x) == pytest.approx(x @ weight[0] + bias[0], abs=1e-5)


def test_rows_of_the_answer_speak_for_it_more_than_the_others(fitted: Fitted) -> None:
    model = fitted("linear_probe", "minilm")
    found = model.explain("a moving and brilliant film")
    assert found.spoke is not None
    assert found.spoke["for"][0].label == found.said
    assert found.spoke["against"][0].label != found.said
    assert found.spoke["for"][0].weight > 0 > found.spoke["against"][0].weight
    assert model.explain("a moving film", rows=False).spoke is None
