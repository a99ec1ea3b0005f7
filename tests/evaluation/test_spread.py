import numpy as np
import pytest

from supertune import metrics
from supertune.evaluation.choice import corrected_choice
from supertune.evaluation.intervals import from_folds, paired, wilson
from supertune.evaluation.resampling import RESAMPLES, Sampling
from supertune.evaluation.spread import (
    Spread,
    of_loss,
    of_rate,
    plain,
    scored,
    spread,
    student,
)


def sure(right, targets):
    """(R, n, 2) answers that are right where ``right`` (R, n)."""
    return 0.8 * np.eye(2)[np.where(right, targets, 1 - targets)] + 0.1


@pytest.fixture
def folds():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 40)
    return rng.random((6, 40)) < 0.7, targets


def found(right, targets, names=("accuracy",), k=5, **more):
    values = scored(metrics.classification, sure(right, targets), targets, names)
    return spread(values, Sampling(len(targets), 0, **more), k)


def test_of_a_mean_the_jackknife_is_the_variance_of_the_rows_over_their_number(folds):
    right, targets = folds
    got = found(right, targets)
    each = right.mean(axis=0)
    assert got.value[0] == pytest.approx(each.mean())
    assert got.rows[0] == pytest.approx(each.var(ddof=1) / 40)
    assert got.repeats[0] == pytest.approx(right.mean(axis=1).var(ddof=1))


def test_rows_written_four_times_in_one_group_are_worth_no_more_than_once(folds):
    right, targets = folds
    groups = np.repeat(np.arange(40), 4)
    once = found(right, targets, ("accuracy", "macro_f1"))
    many = found(np.repeat(right, 4, axis=1), np.repeat(targets, 4), ("accuracy", "macro_f1"),
                 groups=groups)  # fmt: skip
    np.testing.assert_allclose(many.rows, once.rows)
    assert many.units == pytest.approx(40)


def test_row_weights_reach_the_value_and_the_variance(folds):
    right, targets = folds
    weights = np.where(np.arange(40) < 20, 1.9, 0.1)
    got = found(right, targets, weights=weights)
    assert got.value[0] == pytest.approx(np.average(right.mean(axis=0), weights=weights))
    assert got.rows[0] > found(right, targets).rows[0]


def test_more_rows_than_parts_are_left_out_part_by_part():
    rng = np.random.default_rng(1)
    n = 3 * RESAMPLES
    targets, right = np.zeros(n, int), rng.random((1, n)) < 0.8
    got = found(right, targets)
    assert got.rows[0] == pytest.approx(right[0].var() / n, rel=0.15)


def test_repeats_of_leaving_out_one_row_are_not_taken_for_repeats(folds):
    right, targets = folds
    assert found(right, targets, k=39).repeated
    assert not found(right, targets, k=40).repeated


def test_each_kind_of_score_takes_its_measured_part_of_the_spread_over_repeats():
    one = Spread(np.ones(1), np.array([0.01]), np.array([0.002]), True, 5, 40.0)
    assert one.parts(0, "accuracy", rate=True) == pytest.approx((0.01, 0.002))
    assert one.parts(0, "macro_f1", rate=True) == pytest.approx((0.01, 0.004))
    assert one.parts(0, "log_loss", rate=False) == pytest.approx((0.0125, 0.008))
    alone = Spread(np.ones(1), np.array([0.01]), np.zeros(1), False, 3, 40.0)
    assert alone.parts(0, "accuracy", rate=True) == pytest.approx((0.015, 0.0))
    assert alone.parts(0, "mae", rate=False) == pytest.approx((0.02, 0.0))


def test_a_share_without_spread_over_repeats_has_wilsons_interval():
    many = 1e9  # rows in all, so that t is the normal quantile
    assert of_rate(0.7, 0.7 * 0.3 / 50, 0.0, 200, many) == pytest.approx(wilson(0.7, 50), abs=1e-6)
    assert of_rate(1.0, 0.0, 0.0, 30, many) == pytest.approx(wilson(1.0, 30), abs=1e-6)
    assert of_rate(0.7, 1e-9, 0.0, 30, many) == pytest.approx(wilson(0.7, 30), abs=1e-6)
    assert of_rate(0.0, 0.0, 0.0, 0.0, 30) == (0.0, 1.0)


def test_the_two_parts_add_as_squares():
    low, high = of_rate(0.6, 0.005, 0.0, 60, 30)
    wider = of_rate(0.6, 0.005, 0.003, 60, 30)
    more = student(29) ** 2 * 0.003
    assert (0.6 - wider[0]) ** 2 == pytest.approx((0.6 - low) ** 2 + more)
    assert (wider[1] - 0.6) ** 2 == pytest.approx((high - 0.6) ** 2 + more)


def test_an_interval_of_a_loss_reaches_further_up_and_never_below_zero():
    low, high = of_loss(0.5, 0.04, 30)
    assert low * high == pytest.approx(0.25)
    assert 0 < low < 0.5 < high
    assert high - 0.5 > student(29) * 0.2
    assert of_loss(0.0, 0.0, 30) == plain(0.0, 0.0, 30) == (0.0, 0.0)
    assert np.isfinite(of_loss(1e-9, 4.0, 2)).all()


def test_models_that_differ_between_repeats_widen_every_interval(folds):
    right, targets = folds
    steady = np.repeat(right[:1], 6, axis=0)
    moved = steady.copy()
    moved[::2, :12] = False  # half of the repeats had a worse model
    names = ["accuracy", "macro_f1", "log_loss"]
    calm, shaken = (
        from_folds(metrics.classification, sure(each, targets), targets, names, seed=0, folds=5)
        for each in (steady, moved)
    )
    for name in names:
        width = calm[name].high - calm[name].low
        assert shaken[name].high - shaken[name].low > 1.1 * width


def test_the_difference_of_two_models_that_move_together_is_known_better():
    rng = np.random.default_rng(2)
    targets = np.zeros(60, int)
    level = rng.random((8, 1)) * 0.3 + 0.5
    draw = rng.random((1, 60))
    a, alike = draw < level, draw < level - 0.1
    apart = rng.random((8, 60)) < level[::-1] - 0.1
    widths = []
    for b in (alike, apart):
        gap = paired(metrics.classification, sure(a, targets), sure(b, targets), targets,
                     "accuracy", seed=0, folds=5)  # fmt: skip
        widths.append(gap.high - gap.low)
    assert "spread over repeats" in gap.how
    assert widths[0] < widths[1]


def test_scores_of_rows_with_several_labels_are_left_out_row_by_row_too():
    rng = np.random.default_rng(3)
    targets = (rng.random((30, 3)) < 0.4).astype(int)
    answers = np.clip(0.4 * targets + 0.6 * rng.random((4, 30, 3)), 0, 1)
    found = from_folds(metrics.multi_label, answers, targets, ["micro_f1", "log_loss"], seed=0)
    for one in found.values():
        assert one.low < one.value < one.high


def test_what_choosing_took_off_the_score_is_added_to_its_interval():
    rng = np.random.default_rng(4)
    targets = rng.integers(0, 2, 40)
    guesses = {str(i): sure(rng.random((3, 40)) < 0.5, targets) for i in range(10)}
    choice = corrected_choice(
        metrics.classification, guesses, targets, "accuracy", True, list(guesses), tolerance=0.0,
        seed=0, folds=5,
    )  # fmt: skip
    own = next(one.estimate for one in choice.table if one.name == choice.winner)
    assert choice.estimate.value < own.value
    assert choice.estimate.high - choice.estimate.low > own.high - own.low
    assert "chosen among 10" in choice.estimate.how
