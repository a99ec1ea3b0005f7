"""What every method answers in cross-validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from supertune.training import fitting


def close(found, expected, relative):
    """Equal within ``relative`` of the largest score."""
    np.testing.assert_allclose(found, expected, atol=relative * np.abs(expected).max(), rtol=0)


def test_all_folds_at_once_answer_like_models_fitted_one_by_one(combination, folds, crossed):
    examples, logits = combination.examples, crossed(combination)[0]
    for train, test in folds(combination)[0]:
        asked = [examples.inputs[i] for i in test]
        close(
            logits[test],
            combination.fit(examples.take(train)).logits(asked, combination.lens),
            1e-4,
        )


def test_a_fold_does_not_see_the_answers_it_is_judged_by(case, folds, crossed):
    examples, (train, test) = case.examples, folds(case)[0][0]
    targets = examples.targets.copy()
    targets[test] = np.roll(targets[test], 1)
    weights = np.ones(len(examples))
    weights[test] = 7.0
    problem = case.problem(replace(examples, targets=targets, weights=weights))
    again = fitting.out_of_fold(case.method, problem, case.options, [[(train, test)]])[0]
    assert np.isnan(again[train]).all()
    close(again[test], crossed(case)[0][test], 1e-5)
