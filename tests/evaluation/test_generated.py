from __future__ import annotations

import numpy as np
import pytest

from supertune.evaluation.generated import closer, copied, gained, kernel_distance, recognised


def _features(seed: int, count: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (count, 16))


def test_kernel_distance_is_the_double_sum_of_its_definition() -> None:
    made, real = _features(0, 5), _features(1, 7, 0.3)

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 16 + 1) ** 3)

    among = [
        np.mean([kernel(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j])
        for rows in (made, real)
    ]
    between = np.mean([kernel(a, b) for a in made for b in real])
    assert kernel_distance(made, real) == pytest.approx(sum(among) - 2 * between, rel=1e-12)


def test_kernel_distance_of_one_distribution_is_nothing_on_average() -> None:
    found = [kernel_distance(_features(2 * s, 20), _features(2 * s + 1, 20)) for s in range(200)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))
    assert kernel_distance(_features(0, 20), _features(1, 20, 1.0)) > max(found)


def test_pictures_that_come_nearer_are_told_with_a_bound_below_nothing() -> None:
    real = _features(0, 20, 1.0)
    change = closer(_features(1, 30), _features(2, 30, 0.9), real)
    assert change.low < change.value < change.high < 0
    assert change.pictures == 30


def test_the_interval_of_a_change_that_is_none_holds_zero_as_often_as_it_says() -> None:
    held = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        before, after, real = (rng.normal(size=(24, 8)) for _ in range(3))
        change = closer(before, after, real, seed=seed)
        held += change.low <= 0 <= change.high
    assert held >= 34


def test_a_copy_is_nearer_than_pictures_learned_from_are_to_each_other() -> None:
    learned = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    made = np.array([[0.5, 0.0], [3.9, 0.1], [9.0, 9.0], [2.0, 2.0]])
    # The last is 2.83 from each of the learned ones, which are 4 apart.
    assert copied(made, learned).value == 0.75
    assert copied(made[2:3], learned).value == 0.0


def test_shares_have_exact_intervals_and_gains_are_no_surer_than_shares() -> None:
    hits = np.arange(20) < 18
    found = recognised(hits)
    assert (found.low, found.high) == pytest.approx((0.683, 0.988), abs=1e-3)
    sure = gained(np.zeros(20, bool), np.ones(20, bool))
    assert sure.value == 1.0
    assert sure.low == pytest.approx(recognised(np.ones(20, bool)).low)
    none = gained(hits, hits)
    assert none.value == 0.0
    assert none.low < 0 < none.high


def test_two_real_pictures_are_enough_for_an_interval_and_one_is_not() -> None:
    change = closer(_features(0, 8), _features(1, 8, 0.5), _features(2, 2, 0.5))
    assert np.isfinite([change.low, change.value, change.high]).all()
    with pytest.raises(ValueError, match="spread"):
        closer(_features(0, 8), _features(1, 8), _features(2, 1))
