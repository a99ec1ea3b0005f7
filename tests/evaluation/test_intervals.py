import subprocess
import sys
import time

import numpy as np
import pytest
from scipy import stats

from supertune import metrics
from supertune.evaluation.intervals import (
    clopper_pearson,
    from_folds,
    from_test,
    least_difference,
    paired,
    wilson,
)
from supertune.evaluation.spread import student

ALL = [name for name in metrics.CLASSIFICATION if name != "cost"]


def answers(correct, labels=2):
    """(n, C) sure probabilities that are right where ``correct``; all rows are of label 0."""
    return np.eye(labels)[np.where(correct, 0, 1)]


@pytest.mark.parametrize(("right", "rows"), [(0, 16), (16, 16), (7, 16), (380, 400)])
def test_the_closed_intervals_are_scipys(right, rows):
    test = stats.binomtest(right, rows)
    exact = test.proportion_ci(method="exact")
    score = test.proportion_ci(method="wilson")
    assert clopper_pearson(right, rows) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert wilson(right / rows, rows) == pytest.approx((score.low, score.high), abs=1e-9)


def test_the_exact_interval_covers_the_truth_at_least_95_times_in_100():
    rng = np.random.default_rng(0)
    targets = np.zeros(32, dtype=int)
    for truth in (0.5, 0.8, 0.95):
        right = rng.binomial(32, truth, size=2000)
        ends = {}
        for count in np.unique(right):
            correct = np.arange(32) < count
            one = from_test(metrics.classification, answers(correct), targets, ["accuracy"], seed=0)
            ends[count] = (one["accuracy"].low, one["accuracy"].high)
        covered = [ends[count][0] <= truth <= ends[count][1] for count in right]
        assert np.mean(covered) >= 0.95


def test_a_perfect_score_on_16_rows_leaves_room_for_doubt():
    targets = np.tile([0, 1], 8)
    perfect = np.tile(np.eye(2)[targets], (10, 1, 1))
    found = from_folds(
        metrics.classification, perfect, targets, ["accuracy", "macro_f1"], seed=0, folds=5
    )
    for estimate in found.values():
        assert estimate.value == 1.0
        assert estimate.high == 1.0
        assert estimate.low == pytest.approx(16 / (16 + student(15) ** 2))
        assert estimate.low < 0.85


def test_the_value_is_the_mean_over_repeats_and_the_sentence_says_how():
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 3, 40)
    repeats = rng.dirichlet(np.ones(3), (10, 40))
    found = from_folds(metrics.classification, repeats, targets, ALL, seed=0, folds=5)
    for name in ALL:
        each = [metrics.classification(one, targets)[name][0] for one in repeats]
        assert found[name].value == pytest.approx(np.mean(each), abs=1e-12)
        assert found[name].low <= found[name].value <= found[name].high
        assert found[name].rows == 40
    assert found["accuracy"].how == (
        "10 x 5-fold cross-validation over 40 rows; interval for the model that is kept: "
        "jackknife over rows (Tukey 1958), as in Wilson (1927), and the spread over repeats "
        "(after Shao and Wu 1989), added as in Newcombe (1998)"
    )
    assert "Wilson" not in found["log_loss"].how
    assert set(found["brier"].as_dict()) == {"metric", "value", "low", "high", "how", "rows"}


def test_without_repeats_the_interval_is_that_of_as_many_rows_as_a_fold_learned_from():
    rng = np.random.default_rng(2)
    correct = rng.random(400) < 0.7
    found = from_folds(
        metrics.classification, answers(correct), np.zeros(400, int), ["accuracy"], seed=0
    )["accuracy"]
    low, high = wilson(correct.mean(), 320)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.002)
    assert "Nadeau and Bengio 2003" in found.how


def test_the_same_seed_gives_the_same_interval():
    rng = np.random.default_rng(3)
    targets, chances = rng.integers(0, 3, 50), rng.dirichlet(np.ones(3), 50)
    first, again, other = (
        from_test(metrics.classification, chances, targets, ["log_loss"], seed=seed)["log_loss"]
        for seed in (1, 1, 2)
    )
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)


def test_few_groups_give_a_wider_interval_than_as_many_rows_alone():
    correct = np.repeat([True, False, True, True, False, True, True, True], 10)
    chances, targets = answers(correct), np.zeros(80, int)
    groups = np.repeat(np.arange(8), 10)
    alone = from_test(metrics.classification, chances, targets, ["accuracy"], seed=0)["accuracy"]
    whole = from_test(
        metrics.classification, chances, targets, ["accuracy"], seed=0, groups=groups
    )["accuracy"]
    assert whole.high - whole.low > 2 * (alone.high - alone.low)
    assert "whole groups" in whole.how
    assert "Clopper" in alone.how
    assert "Clopper" not in whole.how


def test_row_weights_move_the_value():
    correct = np.array([True, True, False, False])
    weights = np.array([1.5, 1.5, 0.5, 0.5])
    found = from_test(
        metrics.classification, answers(correct), np.zeros(4, int), ["accuracy"], seed=0,
        weights=weights,
    )["accuracy"]  # fmt: skip
    assert found.value == pytest.approx(0.75)


def test_a_paired_difference_is_narrower_than_the_two_scores():
    rng = np.random.default_rng(4)
    a = rng.random(200) < 0.7
    b = a.copy()
    b[rng.choice(np.flatnonzero(a), 12, replace=False)] = False
    targets = np.zeros(200, int)
    gap = paired(metrics.classification, answers(a), answers(b), targets, "accuracy", seed=0)
    assert gap.value == pytest.approx(0.06)
    assert 0 < gap.low < 0.06 < gap.high < 0.12
    back = paired(metrics.classification, answers(b), answers(a), targets, "accuracy", seed=0)
    assert (back.value, back.low, back.high) == pytest.approx((-gap.value, -gap.high, -gap.low))


def test_two_systems_that_never_disagree_are_not_proved_equal():
    same = answers(np.ones(16, bool))
    gap = paired(metrics.classification, same, same, np.zeros(16, int), "accuracy", seed=0)
    assert gap.value == 0
    assert (gap.low, gap.high) == pytest.approx((-least_difference(16), least_difference(16)))
    assert gap.high == pytest.approx(1.96 / 18, abs=1e-3)


def test_a_model_cross_validated_ten_times_can_be_compared_with_a_single_set_of_answers():
    rng = np.random.default_rng(5)
    targets = rng.integers(0, 2, 30)
    gap = paired(
        metrics.classification, rng.dirichlet([1, 1], (10, 30)), rng.dirichlet([1, 1], 30),
        targets, "macro_f1", seed=0,
    )  # fmt: skip
    assert gap.low < gap.value < gap.high


def test_paired_coverage_is_at_least_93_percent_in_simulation():
    rng = np.random.default_rng(6)
    targets, covered = np.zeros(40, int), []
    for _ in range(300):
        a, b = rng.random(40) < 0.8, rng.random(40) < 0.7
        gap = paired(metrics.classification, answers(a), answers(b), targets, "accuracy", seed=1)
        covered.append(gap.low <= 0.1 <= gap.high)
    assert np.mean(covered) >= 0.93 - 2 * np.sqrt(0.93 * 0.07 / 300)


def test_ten_repeats_of_64_rows_take_a_small_part_of_a_fit():
    rng = np.random.default_rng(7)
    targets, repeats = rng.integers(0, 4, 64), rng.dirichlet(np.ones(4), (10, 64))
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        from_folds(metrics.classification, repeats, targets, ALL, seed=0)
        best = min(best, time.perf_counter() - start)
    # Some twenty times what an idle laptop needs, so that only a change of order fails.
    assert best < 1.2


def test_intervals_are_imported_without_scipy_or_torch():
    code = (
        "import sys, supertune.evaluation.breakdown, supertune.evaluation.choice;"
        "print(sorted({'scipy', 'torch', 'sklearn'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr


@pytest.mark.parametrize(("rarest", "open_above"), [(2, True), (3, True), (4, False), (9, False)])
def test_an_average_over_labels_has_no_upper_end_where_one_has_too_few_rows(rarest, open_above):
    targets = np.array([0] * 30 + [1] * rarest)
    wrong = np.arange(len(targets)) % 4 == 0
    answers = np.eye(2)[np.where(wrong, 1 - targets, targets)][None]
    found = from_folds(metrics.classification, answers, targets, ["macro_f1", "accuracy"], seed=0)
    macro = found["macro_f1"]
    assert macro.low < macro.value < 1
    assert (macro.high == 1) == open_above
    assert ("too low" in macro.how) == open_above
    assert found["accuracy"].high < 1
    assert "too low" not in found["accuracy"].how
