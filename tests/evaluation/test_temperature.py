import numpy as np
import pytest

from supertune import metrics
from supertune.evaluation.temperature import calibrated, losses, scaled

ROWS, LABELS = 120, 3


def problem(heat, seed=0, rows=ROWS):
    """Probabilities (2, n, 3) whose scores were multiplied by ``heat`` after drawing labels from
    them, the labels, and folds."""
    rng = np.random.default_rng(seed)
    scores = 1.5 * rng.normal(size=(rows, LABELS))
    true = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    targets = (true.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    hot = np.exp(heat * scores)
    answers = np.tile(hot / hot.sum(axis=1, keepdims=True), (2, 1, 1))
    folds = []
    for repeat in range(2):
        part = np.random.default_rng(repeat).permutation(rows) % 5
        folds.append([(np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(5)])
    return answers, targets, folds


def test_probabilities_that_claim_too_much_are_made_to_claim_less():
    answers, targets, folds = problem(4.0)
    scaling, found = calibrated(answers, targets, folds)
    assert 2.5 < scaling.temperature < 6
    assert scaling.after < scaling.before - scaling.error
    own = metrics.classification(found[0], targets)
    assert own["log_loss"][0] < metrics.classification(answers[0], targets)["log_loss"][0]
    new, labels, _ = problem(4.0, seed=1, rows=2000)
    better = metrics.classification(scaled(new[0], scaling.temperature, False), labels)
    assert better["calibration_error"][0] < 0.05
    assert metrics.classification(new[0], labels)["calibration_error"][0] > 0.1


def test_probabilities_that_mean_what_they_say_are_left_as_they_are():
    answers, targets, folds = problem(1.0)
    scaling, found = calibrated(answers, targets, folds)
    assert scaling.temperature == 1.0
    assert found is answers


def test_no_answer_changes_by_its_own_label():
    answers, targets, folds = problem(4.0)
    other = targets.copy()
    other[0] = (targets[0] + 1) % LABELS
    one, two = (calibrated(answers, each, folds)[1] for each in (targets, other))
    assert np.array_equal(one[:, 0], two[:, 0])
    assert not np.array_equal(one, two)


def test_the_likeliest_label_stays_the_likeliest():
    answers, targets, folds = problem(4.0)
    found = calibrated(answers, targets, folds)[1]
    assert np.array_equal(found.argmax(axis=2), answers.argmax(axis=2))
    assert found.sum(axis=2) == pytest.approx(1.0)


def test_several_labels_a_row_have_one_temperature_too():
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(ROWS, LABELS))
    targets = (rng.random(scores.shape) < 1 / (1 + np.exp(-scores))).astype(float)
    answers = np.tile(1 / (1 + np.exp(-5 * scores)), (2, 1, 1))
    scaling, found = calibrated(answers, targets, problem(1.0)[2])
    assert 3 < scaling.temperature < 8
    assert np.array_equal(found > 0.5, answers > 0.5)


def test_the_loss_is_that_of_the_metrics_and_bears_certainty():
    answers, targets, _ = problem(2.0)
    own = metrics.classification(answers[0], targets)["log_loss"][0]
    assert losses(answers, targets, np.array([1.0])).mean() == pytest.approx(own)
    certain = np.eye(LABELS)[targets][None]
    assert np.isfinite(losses(1 - certain, targets, np.array([0.1, 1.0]))).all()
