"""Two files compared: scores unpaired, classes, and what is read."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.evaluation import shift
from supertune.evaluation.intervals import wilson


def test_a_difference_of_shares_has_newcombes_interval() -> None:
    # Newcombe 1998, table II, method 10: 56/70 - 48/80 is [.0524, .3339].
    a, b = (48 / 80, *wilson(48 / 80, 80)), (56 / 70, *wilson(56 / 70, 70))
    found = shift.change("accuracy", a, b)
    assert found.difference == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-4)
    assert found.shown
    assert not shift.change("accuracy", a, a).shown


def test_em_finds_shares_that_changed_and_says_how_surely() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for draw in range(20):
        truth = (rng.random(300) < 0.2).astype(int)
        x = rng.normal(np.where(truth == 1, 1.0, -1.0))
        odds = 1 / (1 + np.exp(-2 * x))  # right for rows of equal shares
        chances = np.column_stack([1 - odds, odds])
        found = shift.estimated(("no", "yes"), chances, np.array([0.5, 0.5]), seed=draw)
        value, low, high = found["yes"]
        inside += low <= 0.2 <= high
        assert abs(value - 0.2) < 0.12
        assert value < odds.mean()  # counting the answers' chances would be drawn to one half
        assert found["no"][0] + value == pytest.approx(1, abs=1e-6)
    assert inside >= 16


def test_rows_of_one_source_are_alike_and_of_two_are_not() -> None:
    rng = np.random.default_rng(0)
    values = []
    for seed in range(40):
        x = rng.normal(size=(60, 30))
        values.append(shift.distance(x[:30], x[30:], seed=seed).p_value)
    assert np.mean(np.array(values) <= 0.05) <= 0.15
    moved = shift.distance(rng.normal(size=(40, 30)), rng.normal(0.7, size=(50, 30)), seed=0)
    assert moved.shown
    assert moved.told_apart > 0.8


def test_rows_that_are_told_apart_by_leaving_each_out() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(24, 8))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    side = np.repeat([1.0, -1.0], 12)
    found = shift._told_apart(x, side)
    centred = x - x.mean(axis=0)
    lam = 0.1 * (centred**2).sum() / 24
    right = 0
    for row in range(24):
        kept = np.delete(np.arange(24), row)
        design = np.column_stack([np.ones(23), x[kept]])
        penalty = lam * np.diag([0.0, *np.ones(8)])
        solved = np.linalg.solve(design.T @ design + penalty, design.T @ side[kept])
        right += np.sign(solved[0] + x[row] @ solved[1:]) == side[row]
    assert found == pytest.approx(right / 24)
