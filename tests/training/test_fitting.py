"""Fitting, restoring and cross-fitting, whichever kind a method is."""

from __future__ import annotations

import numpy as np
import pytest

from supertune import registry
from supertune.evaluation.splits import repeated_folds
from supertune.training import fitting


@pytest.fixture(scope="module")
def repeats(news):
    return repeated_folds(news, folds=2, repeats=2, seed=0)


def options(name):
    kind = registry.method(name).options
    return kind(epochs=1) if "epochs" in kind.model_fields else kind()


@pytest.mark.parametrize("name", ["majority", "bag_of_words", "linear_probe", "lora"])
def test_each_row_is_answered_once_a_repeat_by_a_model_that_did_not_see_it(
    problem_of, news, lens, repeats, name
):
    method, problem = registry.method(name), problem_of(news)
    logits = fitting.out_of_fold(method, problem, options(name), repeats)
    assert logits.shape == (2, len(news), 5)
    assert np.isfinite(logits).all()
    train, test = repeats[1][0]
    alone = fitting.fit(method, problem_of(news.take(train)), options(name))
    expected = alone.logits([news.inputs[i] for i in test], lens)
    np.testing.assert_allclose(logits[1, test], expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["majority", "bag_of_words", "linear_probe", "lora", "full"])
def test_restoring_is_the_inverse_of_keeping(problem_of, news, lens, name):
    method, problem = registry.method(name), problem_of(news)
    tuned = fitting.fit(method, problem, options(name))
    again = fitting.restore(method, tuned.state(), options(name), problem.head, lens)
    np.testing.assert_array_equal(again.logits(news.inputs, lens), tuned.logits(news.inputs, lens))
    assert again.tuned_parameters == tuned.tuned_parameters


def test_folds_fitted_one_by_one_are_counted(problem_of, news, repeats):
    told = []
    fitting.out_of_fold(
        registry.method("majority"),
        problem_of(news),
        options("majority"),
        repeats,
        done=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_rows_outside_of_every_test_side_have_no_answer(problem_of, news, repeats):
    one_fold = [repeats[0][:1]]
    logits = fitting.out_of_fold(
        registry.method("linear_probe"), problem_of(news), options("linear_probe"), one_fold
    )
    answered = np.isfinite(logits[0]).all(axis=1)
    assert sorted(np.flatnonzero(answered)) == sorted(one_fold[0][0][1])
