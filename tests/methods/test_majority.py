from dataclasses import replace

import numpy as np
import pytest

from supertune.methods.linear_probe import one_hot
from supertune.methods.majority import METHOD


def test_it_answers_the_smoothed_shares_of_the_classes_whatever_the_text(news, problem_of):
    rows = np.flatnonzero((news.targets == 3) | (news.rows % 4 == 0))
    part = news.take(rows)
    shares = METHOD.fit(problem_of(part), METHOD.options())
    logits = shares.logits(["one text", "another"], None)
    counts = np.bincount(part.targets, minlength=5) + 0.5
    np.testing.assert_allclose(np.exp(logits), np.tile(counts / counts.sum(), (2, 1)))
    assert logits.argmax(axis=1).tolist() == [3, 3]


def test_weights_count_as_that_many_rows(news, problem_of):
    weights = np.where(news.targets == 1, 3.0, 0.5)
    shares = METHOD.fit(problem_of(replace(news, weights=weights)), METHOD.options())
    assert np.exp(shares.prior[1]) == pytest.approx((8 * 3 + 0.5) / (8 * 3 + 32 * 0.5 + 2.5))


def test_several_labels_a_row_have_a_share_each(news, problem_of):
    several = one_hot(news.targets, 5)
    several[:, 0] = 1
    shares = METHOD.fit(problem_of(replace(news, targets=several)), METHOD.options())
    chance = 1 / (1 + np.exp(-shares.prior))
    np.testing.assert_allclose(chance, [40.5 / 41, *[8.5 / 41] * 4])


def test_nothing_is_tuned_and_the_state_brings_it_back(news, problem_of):
    problem = problem_of(news)
    shares = METHOD.fit(problem, METHOD.options())
    again = METHOD.restore(shares.state(), problem.head, None)
    np.testing.assert_array_equal(again.logits(["x"], None), shares.logits(["x"], None))
    assert shares.tuned_parameters == 0
