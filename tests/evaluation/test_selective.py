import math

import numpy as np
import pytest
from scipy import stats

from supertune.evaluation.selective import (
    FORGIVEN,
    rows_needed,
    sequence,
    threshold,
    upper_bound,
)

RIGHT = np.zeros((1, 59), dtype=bool)


def sure(rows, repeats=1):
    """(R, n) confidences, all different."""
    return np.tile(np.linspace(0.5, 1.0, rows), (repeats, 1))


@pytest.mark.parametrize(("wrong", "rows"), [(0, 59), (3, 59), (7, 200), (1, 16)])
def test_the_bound_is_the_upper_end_of_the_exact_one_sided_interval(wrong, rows):
    exact = stats.binomtest(wrong, rows, alternative="less").proportion_ci(0.95, method="exact")
    assert upper_bound(wrong, rows) == pytest.approx(exact.high, abs=1e-9)


@pytest.mark.parametrize(("limit", "wrong", "rows"), [(0.05, 0, 59), (0.01, 0, 299), (0.05, 1, 93)])
def test_a_limit_needs_so_many_rows_and_not_one_fewer(limit, wrong, rows):
    assert rows_needed(limit, wrong) == rows
    assert upper_bound(wrong, rows) <= limit < upper_bound(wrong, rows - 1)


def test_59_rows_without_an_error_are_all_answered_and_58_none():
    found = threshold(sure(59), RIGHT, 0.05)
    assert (found.value, found.answered, found.wrong, found.missing) == (0.5, 1.0, 0.0, 0)
    below = threshold(sure(58), RIGHT[:, :58], 0.05)
    assert (below.value, below.answered, below.needed, below.missing) == (math.inf, 0.0, 59, 1)


def test_repeats_do_not_make_more_rows_of_them():
    assert threshold(sure(30, 50), np.zeros((50, 30), dtype=bool), 0.05).missing == 29


def test_a_group_counts_as_one_row():
    wrong = np.zeros((1, 100), dtype=bool)
    assert threshold(sure(100), wrong, 0.05, units=40).missing == 19
    assert threshold(sure(100), wrong, 0.05, units=60).answered == 1.0


def test_answers_of_one_confidence_are_answered_together_or_not_at_all():
    confidence = np.concatenate([np.full(60, 0.9), np.full(60, 0.6)])[None]
    wrong = np.concatenate([np.zeros(60, dtype=bool), np.arange(60) < 30])[None]
    found = threshold(confidence, wrong, 0.05)
    assert (found.value, found.answered) == (0.9, 0.5)


def test_one_wrong_label_among_the_surest_rows_does_not_end_it():
    wrong = np.zeros((1, 200), dtype=bool)
    wrong[0, -1] = True  # the surest of all
    assert threshold(sure(200), wrong, 0.05).answered == 1.0


def test_of_many_rows_the_first_number_tested_stays_small():
    assert sequence(0.05, 10_000)[0] == rows_needed(0.05, FORGIVEN)
    assert sequence(0.05, 200)[-1] == 200
    assert sequence(0.05, 58) == []


def realised(rule, draws=600, rows=200):
    """By draw: the true error of what is answered under ``rule``, of a model whose error falls in
    a straight line from .3 to 0 as its confidence rises from 0 to 1."""
    rng = np.random.default_rng(7)
    errors = []
    for _ in range(draws):
        confidence = rng.random((1, rows))
        wrong = rng.random((1, rows)) < 0.3 * (1 - confidence)
        value = rule(confidence, wrong)
        errors.append(0.0 if value >= 1 else 0.3 * (1 - (1 + value) / 2))
    return np.array(errors)


def test_the_error_is_above_its_limit_in_at_most_5_of_100_draws():
    over = realised(lambda c, w: threshold(c, w, 0.1).value) > 0.1
    assert over.mean() <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 600)

    def naive(confidence, wrong):
        """The least confidence down to which so many seem wrong."""
        order = np.argsort(-confidence[0])
        share = np.cumsum(wrong[0, order]) / np.arange(1, 201)
        return confidence[0, order[np.flatnonzero(share <= 0.1).max()]]

    assert (realised(naive) > 0.1).mean() > 0.3  # so that the bound is what keeps it
