import time

import numpy as np
import pytest

from sklearn import metrics as sk
from supertune import metrics
from supertune.errors import InputError


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def draw(rng, n=90, labels=4):
    probabilities = rng.dirichlet(np.ones(labels), n)
    targets = rng.choice(labels, n, p=[0.55, 0.25, 0.15, 0.05][:labels])
    return probabilities, targets


def expected(probabilities, targets, weights=None):
    """The same scores by scikit-learn, one weighting."""
    predicted = probabilities.argmax(axis=1)
    how = {"sample_weight": weights}
    scores = {
        "accuracy": sk.accuracy_score(targets, predicted, **how),
        "balanced_accuracy": sk.balanced_accuracy_score(targets, predicted, **how),
        "log_loss": sk.log_loss(
            targets, probabilities, labels=range(probabilities.shape[1]), **how
        ),
        "brier": sk.brier_score_loss(
            targets, probabilities, labels=range(probabilities.shape[1]), scale_by_half=True, **how
        ),
    }
    for kind in ("macro", "weighted"):
        names = ("precision", "recall", "f1")
        values = sk.precision_recall_fscore_support(
            targets, predicted, average=kind, zero_division=0, **how
        )
        scores |= {f"{kind}_{name}": value for name, value in zip(names, values[:3])}
    return scores


def test_every_metric_of_one_label_agrees_with_scikit_learn(rng):
    probabilities, targets = draw(rng)
    scores = metrics.classification(probabilities, targets)
    for name, value in expected(probabilities, targets).items():
        assert scores[name].shape == (1,)
        assert scores[name][0] == pytest.approx(value, abs=1e-12), name


def test_row_weights_agree_with_scikit_learns_sample_weight(rng):
    probabilities, targets = draw(rng)
    weights = rng.uniform(0.1, 3, (5, len(targets)))
    scores = metrics.classification(probabilities, targets, weights)
    for index, row in enumerate(weights):
        for name, value in expected(probabilities, targets, row).items():
            assert scores[name][index] == pytest.approx(value, abs=1e-12), name


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_a_resample_is_scored_as_if_written_out_row_by_row(rng):
    probabilities, targets = draw(rng, n=25)
    counts = rng.multinomial(25, np.full(25, 1 / 25), size=20)
    scores = metrics.classification(probabilities, targets, counts.astype(float))
    for index, row in enumerate(counts):
        rows = np.repeat(np.arange(25), row)
        for name, value in expected(probabilities[rows], targets[rows]).items():
            assert scores[name][index] == pytest.approx(value, abs=1e-12), name


def test_a_label_never_predicted_has_precision_zero(rng):
    probabilities = np.tile([0.7, 0.2, 0.1], (6, 1))
    targets = np.array([0, 0, 1, 1, 2, 2])
    scores = metrics.per_class(probabilities, targets)
    np.testing.assert_allclose(scores["precision"], [[1 / 3, 0, 0]])
    np.testing.assert_allclose(scores["recall"], [[1, 0, 0]])
    np.testing.assert_allclose(scores["f1"], [[0.5, 0, 0]])
    known = metrics.per_class(probabilities, targets, undefined=np.nan)["precision"]
    np.testing.assert_array_equal(np.isnan(known), [[False, True, True]])


def test_scores_by_label_agree_with_scikit_learn_under_weights(rng):
    probabilities, targets = draw(rng)
    weights = rng.uniform(0.1, 3, (3, len(targets)))
    scores = metrics.per_class(probabilities, targets, weights)
    for index, row in enumerate(weights):
        values = sk.precision_recall_fscore_support(
            targets, probabilities.argmax(axis=1), sample_weight=row, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), values[:3]):
            np.testing.assert_allclose(scores[name][index], value, atol=1e-12)


def test_calibration_error_is_the_weighted_gap_over_ten_bins(rng):
    probabilities, targets = draw(rng)
    weights = rng.uniform(0.1, 3, (2, len(targets)))
    found = metrics.classification(probabilities, targets, weights)["calibration_error"]
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    for index, row in enumerate(weights):
        total = 0.0
        for low in np.arange(10) / 10:
            inside = (confidence >= low) & (confidence < low + 0.1)
            if inside.any():
                gap = np.average(correct[inside], weights=row[inside]) - np.average(
                    confidence[inside], weights=row[inside]
                )
                total += row[inside].sum() / row.sum() * abs(gap)
        assert found[index] == pytest.approx(total, abs=1e-12)


def test_certain_and_right_has_no_error_of_any_kind():
    scores = metrics.classification(np.eye(3), np.arange(3))
    for name, larger in metrics.CLASSIFICATION.items():
        if name != "cost":
            assert scores[name][0] == pytest.approx(1.0 if larger else 0.0, abs=1e-12), name


def test_certain_and_wrong_has_a_large_but_finite_log_loss():
    scores = metrics.classification(np.eye(2), np.array([1, 0]))
    assert 30 < scores["log_loss"][0] < 40


def test_costs_move_the_decision_and_are_averaged():
    probabilities = np.array([[0.8, 0.2], [0.95, 0.05]])
    targets = np.array([1, 0])
    costs = np.array([[0.0, 1.0], [10.0, 0.0]])  # missing label 1 is ten times as bad
    np.testing.assert_array_equal(metrics.decide(probabilities, costs), [1, 0])
    scores = metrics.classification(probabilities, targets, None, costs)
    assert scores["accuracy"][0] == 1.0
    assert scores["cost"][0] == 0.0
    wrong = metrics.classification(probabilities, targets, None, np.array([[0, 1.0], [3.0, 0]]))
    assert wrong["cost"][0] == pytest.approx(1.5)
    assert "cost" not in metrics.classification(probabilities, targets)


def test_the_confusion_table_agrees_with_scikit_learn(rng):
    probabilities, targets = draw(rng)
    np.testing.assert_array_equal(
        metrics.confusion(probabilities, targets),
        sk.confusion_matrix(targets, probabilities.argmax(axis=1)),
    )


def test_a_confusion_table_of_several_labels_is_refused():
    with pytest.raises(ValueError, match="one label a row"):
        metrics.confusion(np.ones((2, 2)), np.ones((2, 2), dtype=int))


def test_every_metric_of_several_labels_agrees_with_scikit_learn(rng):
    targets = (rng.random((80, 5)) < 0.3).astype(int)
    probabilities = np.clip(0.5 * targets + 0.7 * rng.random((80, 5)), 0.01, 0.99)
    weights = rng.uniform(0.1, 3, (3, 80))
    scores = metrics.multi_label(probabilities, targets, weights)
    predicted = (probabilities >= 0.5).astype(int)
    for index, row in enumerate(weights):
        how = {"sample_weight": row}
        wanted = {"accuracy": sk.accuracy_score(targets, predicted, **how)}
        for kind in ("micro", "macro", "weighted"):
            values = sk.precision_recall_fscore_support(targets, predicted, average=kind, **how)
            for name, value in zip(("precision", "recall", "f1"), values[:3]):
                wanted[f"{kind}_{name}"] = value
        each = [
            sk.log_loss(targets[:, c], probabilities[:, c], labels=[0, 1], **how) for c in range(5)
        ]
        wanted["log_loss"] = np.mean(each)
        each = [sk.brier_score_loss(targets[:, c], probabilities[:, c], **how) for c in range(5)]
        wanted["brier"] = np.mean(each)
        for name, value in wanted.items():
            assert scores[name][index] == pytest.approx(value, abs=1e-12), name
    assert set(scores) == set(metrics.MULTI_LABEL)


def test_the_tables_of_metrics_name_exactly_what_is_computed(rng):
    probabilities, targets = draw(rng)
    scores = metrics.classification(probabilities, targets, None, 1 - np.eye(4))
    assert set(scores) == set(metrics.CLASSIFICATION)
    assert scores["cost"][0] == pytest.approx(1 - scores["accuracy"][0])


def test_probabilities_that_are_not_numbers_are_refused_by_name(rng):
    probabilities, targets = draw(rng)
    probabilities[3, 1] = np.nan
    with pytest.raises(InputError) as caught:
        metrics.classification(probabilities, targets)
    assert caught.value.code == "probabilities_not_finite"
    assert caught.value.received == "1 of 90 rows"


def test_two_thousand_weightings_of_400_rows_take_well_under_a_second(rng):
    probabilities, targets = rng.dirichlet(np.ones(8), 400), rng.integers(0, 8, 400)
    weights = rng.multinomial(400, np.full(400, 1 / 400), size=2000).astype(float)
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        metrics.classification(probabilities, targets, weights)
        best = min(best, time.perf_counter() - start)
    assert best < 0.5


# --- values -----------------------------------------------------------------------------------


def test_metrics_of_values_are_scikit_learn_s():
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    rng = np.random.default_rng(0)
    truth, said = rng.normal(1e6, 5, 50), rng.normal(1e6, 5, 50)
    weights = rng.integers(0, 5, (7, 50)).astype(float)
    found = metrics.regression(said[:, None], truth, weights)
    assert set(found) == set(metrics.REGRESSION)
    for row, one in enumerate(weights):
        for name, score in (
            ("mae", mean_absolute_error),
            ("rmse", root_mean_squared_error),
            ("r2", r2_score),
        ):
            expected = score(truth, said, sample_weight=one)
            assert found[name][row] == pytest.approx(expected, rel=1e-9), name


def test_targets_that_are_all_equal_have_no_variance_to_explain():
    found = metrics.regression(np.array([[1.0], [2.0]]), np.array([0.1, 0.1]))
    assert found["r2"].tolist() == [0.0]


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="not numbers"):
        metrics.regression(np.array([[np.nan], [1.0]]), np.array([1.0, 2.0]))
