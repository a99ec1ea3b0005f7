import numpy as np
import pytest

from supertune.evaluation import forecast as module
from supertune.evaluation.forecast import FURTHEST, PRIOR, Prior, errors, forecast, ranged
from supertune.evaluation.learning_curve import Observed

TRUE = PRIOR.mean
SIZES = np.array([4.0, 8.0, 14.0, 26.0, 48.0, 90.0])


def seen(parameters=TRUE, noise=0.01, rows=100, sizes=SIZES):
    exact = errors(np.asarray(parameters)[None], sizes, 0.5, 2)[0]
    covariance = noise**2 * (0.5 + 0.5 * np.eye(len(sizes)))
    return Observed(sizes, exact, covariance, 0.5, rows, 2)


def gain(parameters, rows, more):
    now, then = errors(np.asarray(parameters)[None], np.array([rows, rows + more]), 0.5, 2)[0]
    return float(now - then)


def test_the_true_gain_lies_within_the_range_and_more_labels_bring_more():
    made = forecast(seen(), "accuracy", True)
    assert [step.more for step in made.steps] == [10, 20, 50, 100]
    for step in made.steps:
        assert step.gain.low <= gain(TRUE, 100, step.more) <= step.gain.high
        assert 0 <= step.gain.low < step.gain.high
    values = [step.gain.value for step in made.steps]
    assert values == sorted(values)


def test_noise_widens_the_range_to_what_other_data_sets_did():
    clear, vague = (forecast(seen(noise=each), "accuracy", True) for each in (0.005, 0.2))
    for one, other in zip(clear.steps, vague.steps, strict=True):
        assert one.score.high - one.score.low < other.score.high - other.score.low
    nothing = forecast(seen(TRUE + 0.3, noise=50.0), "accuracy", True).steps[-1].gain
    drawn = np.random.default_rng(1).multivariate_normal(PRIOR.mean, PRIOR.covariance, 20_000)
    both = errors(drawn, np.array([100.0, 200.0]), 0.5, 2)
    assert nothing.value == pytest.approx(np.median(both[:, 0] - both[:, 1]), abs=0.01)


def test_a_curve_that_has_come_to_its_end_is_flat_now():
    flat = TRUE.copy()
    flat[1] = -2.0
    made = forecast(seen(flat, noise=0.003), "accuracy", True)
    assert made.flat_now
    assert made.steps[-1].gain.high < 0.01


def test_a_slow_curve_flattens_later_than_a_fast_one():
    slow = TRUE + np.array([0.0, 2.5, 0.0, 0.0])
    fast, late = (forecast(seen(each, noise=0.003), "accuracy", True) for each in (TRUE, slow))
    assert fast.flat is not None
    assert fast.flat.value < FURTHEST
    assert late.flat is None or late.flat.value > fast.flat.value


def test_of_an_error_the_score_falls_while_the_gain_is_positive():
    made = forecast(seen(), "log_loss", False)
    assert made.steps[-1].score.value < made.now.value
    assert made.steps[-1].gain.value > 0


def test_the_same_rows_give_the_same_forecast():
    assert forecast(seen(), "accuracy", True) == forecast(seen(), "accuracy", True)


def test_one_point_is_enough_and_says_little():
    made = forecast(seen(sizes=SIZES[-1:]), "accuracy", True)
    assert made.steps[-1].gain.low >= 0
    assert made.steps[-1].gain.high > gain(TRUE, 100, 100)


def test_ranges_of_weighted_draws_are_their_quantiles():
    values = np.random.default_rng(0).normal(size=20_000)
    weights = np.exp(values)  # tilts a standard normal to mean 1
    found = ranged(values, weights / weights.sum())
    assert (found.low, found.value, found.high) == pytest.approx((-0.28, 1.0, 2.28), abs=0.08)


def test_80_of_100_truths_lie_inside_when_the_prior_is_right(monkeypatch):
    """Curves drawn from the prior itself, seen with noise of the size that is said."""
    monkeypatch.setattr(module, "DRAWS", 1000)
    rng = np.random.default_rng(3)
    known = Prior(PRIOR.mean, PRIOR.covariance)
    inside = []
    for _ in range(120):
        true = rng.multivariate_normal(known.mean, known.covariance)
        exact = seen(true, noise=0.04, rows=32, sizes=SIZES[:4])
        noisy = rng.multivariate_normal(exact.errors, exact.covariance)
        one = Observed(exact.sizes, noisy, exact.covariance, 0.5, 32, 2)
        found = forecast(one, "accuracy", True, more=(50,), prior=known).steps[0].gain
        inside.append(found.low <= gain(true, 32, 50) <= found.high)
    assert 0.72 <= np.mean(inside) <= 0.92
