import numpy as np
import pytest

from supertune import metrics
from supertune.evaluation.reliability import bins


def test_the_bins_add_up_to_the_calibration_error():
    rng = np.random.default_rng(0)
    chances, targets = rng.dirichlet(np.ones(3), 200), rng.integers(0, 3, 200)
    table = bins(chances, targets)
    assert sum(part["rows"] for part in table) == 200
    gap = sum(part["rows"] / 200 * abs(part["accuracy"] - part["confidence"]) for part in table)
    wanted = metrics.classification(chances, targets)["calibration_error"][0]
    assert gap == pytest.approx(wanted, abs=1e-12)
    for part in table:
        assert part["low"] <= part["confidence"] <= part["high"]
        assert part["accuracy_low"] <= part["accuracy"] <= part["accuracy_high"]


def test_full_confidence_falls_in_the_last_bin():
    (part,) = bins(np.eye(2), np.array([0, 0]))
    assert (part["low"], part["high"], part["rows"]) == (0.9, 1.0, 2)
    assert (part["confidence"], part["accuracy"]) == (1.0, 0.5)


def test_repeats_are_pooled_and_rows_counted_once():
    rng = np.random.default_rng(1)
    chances, targets = rng.dirichlet(np.ones(3), 50), rng.integers(0, 3, 50)
    pooled, single = bins(np.tile(chances, (4, 1, 1)), targets), bins(chances, targets)
    assert len(pooled) == len(single)
    for part, alone in zip(pooled, single):
        assert part == pytest.approx(alone)


def test_each_of_several_labels_is_an_answer_of_its_own():
    table = bins(np.array([[0.95, 0.08], [0.97, 0.55]]), np.array([[1, 0], [1, 0]]))
    assert [(part["low"], part["rows"], part["accuracy"]) for part in table] == [
        (0.5, 1, 0.0),
        (0.9, 3, 1.0),
    ]
