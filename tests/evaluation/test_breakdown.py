import numpy as np
import pytest

from supertune import metrics
from supertune.evaluation.breakdown import by_slice, per_class_from_folds, per_class_from_test
from supertune.evaluation.intervals import wilson


def test_each_label_has_its_own_scores_and_intervals():
    rng = np.random.default_rng(0)
    targets = rng.choice(3, 60, p=[0.6, 0.3, 0.1])
    chances = 0.5 * np.eye(3)[targets] + 0.5 * rng.dirichlet(np.ones(3), 60)
    found = per_class_from_test(chances, targets, seed=0)
    plain = metrics.per_class(chances, targets)
    assert len(found) == 3
    for label, scores in enumerate(found):
        for name, estimate in scores.items():
            assert estimate.value == pytest.approx(plain[name][0, label])
            assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
            assert estimate.rows == (targets == label).sum()
    widths = [scores["recall"].high - scores["recall"].low for scores in found]
    assert widths[2] > widths[0]


def test_a_rare_label_got_right_is_never_called_certain():
    targets = np.array([0] * 30 + [1] * 3)
    found = per_class_from_test(np.eye(2)[targets], targets, seed=0)
    assert found[1]["recall"].value == 1.0
    assert found[1]["recall"].low == pytest.approx(wilson(1.0, 3)[0])
    assert found[1]["recall"].low < 0.5


def test_a_label_never_predicted_has_a_precision_of_which_nothing_is_known():
    targets = np.array([0] * 10 + [1] * 10)
    found = per_class_from_test(np.tile([0.9, 0.1], (20, 1)), targets, seed=0)
    precision = found[1]["precision"]
    assert (precision.value, precision.low, precision.high) == (0.0, 0.0, 1.0)


def test_scores_by_label_are_averaged_over_repeats():
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 2, 40)
    repeats = rng.dirichlet([1, 1], (6, 40))
    found = per_class_from_folds(repeats, targets, seed=0, folds=5)
    each = [metrics.per_class(one, targets)["f1"][0, 1] for one in repeats]
    assert found[1]["f1"].value == pytest.approx(np.mean(each))
    assert found[1]["f1"].how.startswith("6 x 5-fold cross-validation over 40 rows")


def test_rows_with_several_labels_have_scores_by_label_too():
    rng = np.random.default_rng(2)
    targets = (rng.random((50, 3)) < 0.4).astype(int)
    chances = np.clip(0.4 * targets + 0.6 * rng.random((50, 3)), 0, 1)
    found = per_class_from_test(chances, targets, seed=0)
    plain = metrics.per_class(chances, targets)
    assert [one["f1"].value for one in found] == pytest.approx(plain["f1"][0].tolist())


def test_slices_come_largest_first_and_each_is_scored_alone():
    rng = np.random.default_rng(3)
    targets = rng.integers(0, 2, 60)
    column = np.array(["de"] * 12 + ["en"] * 40 + ["fr"] * 8)
    right = np.where(column == "de", 0, 1)
    chances = np.eye(2)[np.where(right, targets, 1 - targets)]
    parts = by_slice(metrics.classification, chances, targets, "accuracy", column, seed=0)
    assert [part["value"] for part in parts] == ["en", "de", "fr"]
    assert [part["rows"] for part in parts] == [40, 12, 8]
    assert [part["estimate"].value for part in parts] == [1.0, 0.0, 1.0]
    assert parts[2]["estimate"].low < parts[0]["estimate"].low
    assert "Clopper" in parts[0]["estimate"].how


def test_slices_of_cross_validated_rows_say_so():
    targets = np.tile([0, 1], 10)
    repeats = np.tile(np.eye(2)[targets], (3, 1, 1))
    parts = by_slice(
        metrics.classification, repeats, targets, "macro_f1", np.repeat(["a", "b"], 10), seed=0,
        folds=5,
    )  # fmt: skip
    assert parts[0]["estimate"].how.startswith("3 x 5-fold cross-validation over 10 rows")
    assert len(by_slice(
        metrics.classification, repeats, targets, "macro_f1", np.arange(20), seed=0, most=7
    )) == 7  # fmt: skip
