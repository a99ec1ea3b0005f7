import numpy as np
import pytest

from supertune import metrics
from supertune.contracts import Examples
from supertune.evaluation.gains import Scoring, best_gain, paired_gain, shrunken, unit

RNG = np.random.default_rng(0)
TARGETS = RNG.integers(0, 2, 40)


def scoring(metric="accuracy", larger=True):
    rows = Examples(tuple(map(str, range(40))), TARGETS, ("a", "b"), np.arange(40))
    return Scoring(metrics.classification, rows, metric, larger, 0)


def answers(accuracy, seed, repeats=2):
    right = np.random.default_rng(seed).random((repeats, 40)) < accuracy
    return 0.8 * np.eye(2)[np.where(right, TARGETS, 1 - TARGETS)] + 0.1


def test_what_is_known_for_certain_is_not_drawn_towards_0():
    found = shrunken(0.1, 0.0, 0.05)
    assert (found.low, found.value, found.high) == (0.1, 0.1, 0.1)


def test_what_is_as_uncertain_as_usual_changes_are_large_is_halved():
    found = shrunken(0.1, 0.05, 0.05)
    assert found.value == pytest.approx(0.05)
    assert found.high - found.value == pytest.approx(1.2816 * 0.05 / np.sqrt(2), rel=1e-3)


def test_equal_answers_gain_nothing_and_do_not_prove_equality():
    same = answers(0.7, 1)
    found = paired_gain(scoring(), same, same, 0.08)
    assert found.value == 0
    assert found.low < 0 < found.high


@pytest.mark.parametrize(("metric", "larger"), [("accuracy", True), ("log_loss", False)])
def test_better_is_positive_whichever_way_the_metric_goes(metric, larger):
    found = paired_gain(scoring(metric, larger), answers(0.95, 1), answers(0.55, 2), 0.3)
    assert found.low > 0


def test_the_luckiest_of_ten_guessers_promises_next_to_nothing():
    trials = {str(i): answers(0.6, i, 1) for i in range(10)}
    promised = [best_gain(scoring(), trials, now, 0.02)[1].value for now in trials]
    lucky = max((each.argmax(axis=2) == TARGETS).mean() for each in trials.values()) - np.mean(
        [(each.argmax(axis=2) == TARGETS).mean() for each in trials.values()]
    )
    assert lucky > 0.05
    assert abs(np.mean(promised)) < 0.02


def test_a_point_of_an_error_is_a_hundredth_of_twice_what_knowing_nothing_costs():
    floor = np.tile([0.5, 0.5], (40, 1))
    assert unit(scoring(), floor) == 1.0
    assert unit(scoring("log_loss", False), floor) == pytest.approx(2 * np.log(2))
