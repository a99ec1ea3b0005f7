"""What every fitted method answers, and what is kept of it."""

from __future__ import annotations

import json

import numpy as np


def close(found, expected, relative=1e-5):
    """Equal within ``relative`` of the largest score."""
    np.testing.assert_allclose(found, expected, atol=relative * np.abs(expected).max(), rtol=0)


# --- answers ----------------------------------------------------------------------------------


def test_nothing_asked_is_nothing_answered(case):
    assert case.logits([]).shape == (0, case.outputs)


def test_one_input_is_answered_as_among_others(combination):
    alone = combination.logits([combination.examples.inputs[4]])
    assert alone.shape == (1, combination.outputs)
    close(alone[0], combination.answers[4])


def test_odd_inputs_get_finite_scores(combination):
    logits = combination.logits(combination.odd)
    assert logits.shape == (len(combination.odd), combination.outputs)
    assert np.isfinite(logits).all()


def test_the_size_of_the_batch_does_not_matter(combination):
    inputs = combination.examples.inputs
    for size in (1, 5):
        parts = [combination.logits(inputs[at : at + size]) for at in range(0, len(inputs), size)]
        close(np.concatenate(parts), combination.answers)


def test_an_answer_does_not_depend_on_what_else_is_asked(case):
    odd = case.odd
    inputs = case.examples.inputs
    among = case.logits([*odd, *inputs[::-1], *odd])
    close(among[len(odd) : len(odd) + len(inputs)][::-1], case.answers)


def test_the_same_input_twice_gets_the_same_answer(case):
    twice = case.logits([case.examples.inputs[0]] * 2)
    close(twice[0], twice[1])


def test_asked_again_it_answers_the_same_bits(case):
    np.testing.assert_array_equal(case.logits(case.examples.inputs), case.answers)


# --- what is kept -----------------------------------------------------------------------------


def test_its_state_is_named_arrays_of_numbers_and_json(case):
    state = case.tuned().state()
    for arrays in (state.arrays, state.adapter):
        for name, array in arrays.items():
            assert isinstance(name, str)
            assert isinstance(array, np.ndarray)
            assert array.dtype.kind in "biuf"
            assert array.dtype.kind != "f" or np.isfinite(array).all()
    assert json.loads(json.dumps(state.settings, allow_nan=False)) == state.settings
    if state.adapter_config is not None:
        config = state.adapter_config
        assert json.loads(json.dumps(config, allow_nan=False)) == config


def test_from_its_state_it_answers_the_same_bits(combination):
    again = combination.restored(combination.tuned().state())
    np.testing.assert_array_equal(
        again.logits(combination.examples.inputs, combination.lens), combination.answers
    )


def test_from_the_bytes_of_its_state_it_answers_the_same_bits(case, read_back):
    for setting, examples in case.settings.items():
        tuned, inputs = case.tuned(setting), examples.inputs
        again = case.restored(read_back(tuned.state()), setting)
        np.testing.assert_array_equal(
            again.logits(inputs, case.lens), tuned.logits(inputs, case.lens)
        )


def test_its_state_comes_back_as_it_was(combination, state_bytes, read_back):
    tuned = combination.tuned()
    assert state_bytes(combination.restored(read_back(tuned.state()))) == state_bytes(tuned)


def test_tuned_numbers_are_counted_truly(combination, not_tuned):
    state = combination.tuned().state()
    assert set(not_tuned(combination)) <= set(state.arrays)
    counted = [a for name, a in state.arrays.items() if name not in not_tuned(combination)]
    assert combination.tuned().tuned_parameters == sum(
        array.size for array in (*counted, *state.adapter.values())
    )


def test_its_state_holds_no_text(case, exempt):
    exempt(case, "kept")
    # Arrays of numbers could still hide one in their names, and settings could hold many.
    kept = json.dumps([case.tuned().state().settings, *case.tuned().state().arrays]).lower()
    for value in case.examples.inputs:
        start = str(getattr(value, "name", value)).lower()
        start = repr(value[0]) if isinstance(value, tuple) else " ".join(start.split()[:3])
        assert start not in kept
