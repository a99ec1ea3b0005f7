"""What every method that answers with values owes, on columns of numbers and on texts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune.errors import InputError
from supertune.training import fitting

LEARNS_NOTHING = {"mean"}  # the floor, whatever the input


def close(found, expected, relative=1e-5):
    """Equal within ``relative`` of the largest answer."""
    np.testing.assert_allclose(found, expected, atol=relative * np.abs(expected).max(), rtol=0)


def test_every_row_gets_one_finite_value(regressor):
    assert regressor.answers.shape == (len(regressor.examples), 1)
    assert regressor.answers.dtype == np.float64
    assert np.isfinite(regressor.answers).all()


def test_it_is_nearer_to_its_own_rows_than_their_mean_is(regressor):
    targets = regressor.examples.targets
    floor = np.abs(targets - targets.mean()).mean()
    off = np.abs(targets - regressor.answers[:, 0]).mean()
    if regressor.name in LEARNS_NOTHING:
        assert off == floor
    else:
        assert off < 0.6 * floor


def test_answers_are_in_the_units_of_the_target(regressor):
    examples = regressor.examples
    scaled = replace(examples, targets=1e6 * examples.targets - 3e7)
    found = regressor.fit(scaled).logits(examples.inputs, regressor.lens)
    close(found, 1e6 * regressor.answers - 3e7, 1e-4)


def test_a_target_that_is_the_same_in_all_rows_is_the_answer(regressor):
    examples = replace(regressor.examples, targets=np.full(len(regressor.examples), 4.5))
    if regressor.gradient:  # which has no gradient then
        with pytest.raises(InputError, match="mean") as caught:
            regressor.fit(examples)
        assert caught.value.code == "values_all_same"
        return
    found = regressor.fit(examples).logits(examples.inputs, regressor.lens)
    np.testing.assert_allclose(found, 4.5, rtol=1e-9)


def test_one_row_is_answered_as_among_others(regressor):
    alone = regressor.logits([regressor.examples.inputs[3]])
    close(alone[0], regressor.answers[3])


def test_the_same_seed_gives_the_same_bytes(regressor, state_bytes):
    assert state_bytes(regressor.fit(regressor.examples)) == state_bytes(regressor.tuned())


def test_the_order_of_the_rows_does_not_matter(regressor, state_bytes):
    order = np.random.default_rng(5).permutation(len(regressor.examples))
    shuffled = regressor.examples.take(order).canonical()
    assert state_bytes(regressor.fit(shuffled)) == state_bytes(regressor.tuned())


def test_from_the_bytes_of_its_state_it_answers_the_same_bits(regressor, read_back):
    again = regressor.restored(read_back(regressor.tuned().state()))
    found = again.logits(regressor.examples.inputs, regressor.lens)
    np.testing.assert_array_equal(found, regressor.answers)


def test_equal_weights_are_no_weights(regressor):
    ones = replace(regressor.examples, weights=np.ones(len(regressor.examples)))
    close(regressor.fit(ones).logits(ones.inputs, regressor.lens), regressor.answers, 1e-6)


def test_rows_of_little_weight_say_little(regressor):
    examples = regressor.examples
    light = np.arange(len(examples)) % 3 == 0
    moved = np.where(light, examples.targets + 1000.0, examples.targets)
    weights = np.where(light, 1e-4, 1.0)
    weighed = replace(examples, targets=moved, weights=weights / weights.mean())
    loud = regressor.fit(replace(examples, targets=moved)).logits(examples.inputs, regressor.lens)
    quiet = regressor.fit(weighed).logits(examples.inputs, regressor.lens)
    heavy = ~light
    off = [np.abs(a[heavy, 0] - examples.targets[heavy]).mean() for a in (quiet, loud)]
    # What answers its own rows exactly, with more features than rows, has nothing to weigh.
    assert off[0] < off[1] / 5 or off[1] < 1e-3


def test_all_folds_at_once_answer_like_models_fitted_one_by_one(regressor, folds, crossed):
    examples, answers = regressor.examples, crossed(regressor)[0]
    for train, test in folds(regressor)[0]:
        asked = [examples.inputs[i] for i in test]
        one = regressor.fit(examples.take(train)).logits(asked, regressor.lens)
        close(answers[test], one, 1e-4)


def test_a_fold_does_not_see_the_answers_it_is_judged_by(regressor, folds, crossed):
    examples, (train, test) = regressor.examples, folds(regressor)[0][0]
    targets = examples.targets.copy()
    targets[test] += 1e6
    problem = regressor.problem(replace(examples, targets=targets))
    again = fitting.out_of_fold(regressor.method, problem, regressor.options, [[(train, test)]])[0]
    close(again[test], crossed(regressor)[0][test])


def test_columns_that_are_constant_in_a_fold_do_no_harm(regressor):
    examples = regressor.examples
    if not examples.columns:
        return
    rows = tuple((row[0], 7.0, row[2]) for row in examples.inputs)
    tuned = regressor.fit(replace(examples, inputs=rows))
    assert np.isfinite(tuned.logits(rows, None)).all()


def test_more_columns_than_rows_do_no_harm(regressor):
    few = regressor.examples.take([0, 1, 2])
    found = regressor.fit(few).logits(regressor.examples.inputs, regressor.lens)
    assert np.isfinite(found).all()
