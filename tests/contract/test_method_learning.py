"""What every method does with rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from supertune.contracts import Examples


def close(found, expected, relative):
    """Equal within ``relative`` of the largest score."""
    np.testing.assert_allclose(found, expected, atol=relative * np.abs(expected).max(), rtol=0)


def fitted(case, examples, **changes):
    return case.fit(examples, **changes).logits(examples.inputs, case.lens)


def test_every_row_gets_one_finite_score_an_output(case):
    for setting, examples in case.settings.items():
        logits = case.logits(examples.inputs, setting)
        assert logits.shape == (len(examples), len(examples.labels))
        assert logits.dtype == np.float64
        assert np.isfinite(logits).all()


def test_it_learns_to_tell_its_own_rows_apart(labeller, exempt):
    exempt(labeller, "words")
    targets = labeller.examples.targets
    right = (labeller.answers.argmax(axis=1) == targets).mean()
    assert right > 0.6 > np.bincount(targets).max() / len(targets)


def test_it_learns_several_labels_a_row(classifier, exempt):
    exempt(classifier, "words")
    targets = classifier.settings["several"].targets
    answers = classifier.logits(classifier.settings["several"].inputs, "several") > 0
    # The best answer that is the same for all rows: "leisure", and nothing else.
    same = np.maximum(targets.mean(axis=0), 1 - targets.mean(axis=0)).mean()
    assert (answers == targets.astype(bool)).mean() > same


def test_a_label_without_rows_is_not_the_answer(classifier, exempt):
    exempt(classifier, "rows")
    answers = classifier.logits(classifier.settings["missing"].inputs, "missing").argmax(axis=1)
    assert 2 not in answers


def test_rows_of_one_label_alone_are_answered_with_it(classifier, exempt):
    # A fold looks like this where a label has a single row.
    examples = classifier.examples
    alone = examples.take(np.flatnonzero(examples.targets == 1))
    logits = classifier.fit(alone).logits(examples.inputs, classifier.lens)
    assert logits.shape == (len(examples), 3)
    assert np.isfinite(logits).all()
    exempt(classifier, "rows")
    assert (logits.argmax(axis=1) == 1).mean() > 0.9


def test_inputs_that_say_next_to_nothing_can_be_learned_from(classifier):
    examples = Examples(
        classifier.bare, np.array([0, 0, 0, 1, 1, 1]), ("good", "bad"), np.arange(1, 7)
    )
    logits = fitted(classifier, examples)
    assert logits.shape == (6, 2)
    assert np.isfinite(logits).all()


def test_the_same_seed_gives_the_same_bytes(combination, state_bytes):
    assert state_bytes(combination.fit(combination.examples)) == state_bytes(combination.tuned())


def test_the_order_of_the_rows_does_not_matter(combination, state_bytes):
    order = np.random.default_rng(5).permutation(len(combination.examples))
    examples = combination.examples.take(order)
    numbered = replace(examples, rows=np.arange(1, len(examples) + 1))
    assert state_bytes(combination.fit(numbered.canonical())) == state_bytes(combination.tuned())


def test_neither_source_rows_nor_groups_nor_slices_are_learned_from(case, state_bytes):
    n = len(case.examples)
    examples = replace(
        case.examples,
        rows=np.arange(n, 0, -1) * 1000,
        groups=np.arange(n),
        slices={"topic": case.examples.targets.astype(str)},
    )
    assert state_bytes(case.fit(examples)) == state_bytes(case.tuned())


def test_equal_weights_are_no_weights(combination):
    ones = replace(combination.examples, weights=np.ones(len(combination.examples)))
    close(combination.fit(ones).logits(ones.inputs, combination.lens), combination.answers, 1e-5)


def test_a_row_of_little_weight_says_little(classifier, exempt):
    exempt(classifier, "rows")
    targets = classifier.examples.targets
    weights = np.where(targets == 0, 1e-3, 1.0)
    light = replace(classifier.examples, weights=weights / weights.mean())
    logits = classifier.fit(light).logits(light.inputs, classifier.lens)
    shares = [np.exp(x - x.max(axis=1, keepdims=True)) for x in (logits, classifier.answers)]
    less, usual = ((s / s.sum(axis=1, keepdims=True))[:, 0].mean() for s in shares)
    assert less < usual - 0.01


def test_what_it_is_given_to_learn_from_stays_as_it_was(case):
    examples = replace(
        case.examples.take(range(len(case.examples))), weights=np.ones(len(case.examples))
    )
    arrays = (examples.targets, examples.rows, examples.weights)
    before = [array.copy() for array in arrays]
    case.fit(examples)
    assert examples.inputs == case.examples.inputs
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
