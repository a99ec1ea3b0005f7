"""Gradient descent on a weighted sum of columns, against what has a closed form."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from supertune.contracts import Examples, HeadSpec, Noted, Problem
from supertune.errors import SupertuneError
from supertune.methods.linear_regression import METHOD, LinearRegressionOptions

OPTIMIZERS = ("lbfgs", "sgd", "momentum", "adam")


def problem(x, y, weights=None, names=None):
    names = names or tuple(f"x{i}" for i in range(x.shape[1]))
    rows = tuple(map(tuple, x.tolist()))
    numbers = np.arange(1, len(y) + 1)
    examples = Examples(rows, y, ("y",), numbers, weights=weights, columns=names)
    return Problem(examples, HeadSpec(1, valued=True), None, seed=0)


@pytest.fixture(scope="module")
def diabetes():
    """442 patients, ten measurements in their own units."""
    from sklearn.datasets import load_diabetes

    found = load_diabetes(scaled=False)
    return found.data, found.target.astype(float)


def fit(asked, **options):
    return METHOD.fit(asked, LinearRegressionOptions(**options))


def numbers(line):
    return np.append(line.weight, line.bias)


def closed(x, y):
    """Least squares by a singular value decomposition; the offset last."""
    return np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_each_optimizer_reaches_the_closed_form(diabetes, optimizer):
    x, y = diabetes
    found = fit(problem(x, y), optimizer=optimizer)
    np.testing.assert_allclose(numbers(found), closed(x, y), rtol=1e-6)
    assert found.weight.dtype == np.float64
    assert found.notes().findings == ()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_l2_penalty_gives_ridge_regression(diabetes, optimizer):
    x, y = diabetes
    found = fit(problem(x, y), optimizer=optimizer, l2=0.3)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    inside = z.T @ z / len(z) + 0.3 * np.eye(x.shape[1])
    expected = np.linalg.solve(inside, z.T @ (y - y.mean()) / len(z))
    np.testing.assert_allclose(found.weight * x.std(axis=0), expected, rtol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_l1_penalty_gives_the_lasso_and_exact_zeros(diabetes, optimizer):
    from sklearn.linear_model import Lasso

    x, y = diabetes
    found = fit(problem(x, y), optimizer=optimizer, l1=0.1)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    lasso = Lasso(alpha=0.1, tol=1e-12, max_iter=100_000).fit(z, (y - y.mean()) / y.std())
    expected = lasso.coef_ * y.std() / x.std(axis=0)
    np.testing.assert_allclose(found.weight, expected, atol=1e-7 * np.abs(expected).max())
    assert (found.weight == 0).tolist() == (expected == 0).tolist()
    assert 2 < (expected == 0).sum() < 9


def test_without_standardising_it_is_slow_and_says_so(diabetes):
    x, y = diabetes
    slow = fit(problem(x, y), optimizer="sgd", standardise=False, epochs=500)
    (finding,) = slow.notes().findings
    assert finding.code == "not_settled"
    assert "standardise" in finding.message
    assert slow.notes().coefficients[0].low is None
    assert "had not settled" in slow.notes().about
    settled = fit(problem(x, y), optimizer="lbfgs", standardise=False)
    np.testing.assert_allclose(numbers(settled), closed(x, y), rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_steps_over_few_rows_end_near_the_closed_form(diabetes, optimizer):
    x, y = diabetes
    found = fit(problem(x, y), optimizer=optimizer, batch_size=32)
    best = closed(x, y)
    off = x @ found.weight + found.bias - (x @ best[:-1] + best[-1])
    assert np.sqrt((off**2).mean()) < 0.06 * y.std()
    again = fit(problem(x, y), optimizer=optimizer, batch_size=32)
    np.testing.assert_array_equal(numbers(found), numbers(again))


def test_a_learning_rate_that_overshoots_is_told_with_what_to_do(diabetes):
    with pytest.raises(SupertuneError) as caught:
        fit(problem(*diabetes), optimizer="sgd", learning_rate=5.0)
    assert caught.value.code == "loss_not_finite"
    assert "learning_rate=0.5" in caught.value.next


def test_a_rate_just_below_the_safe_bound_settles_and_one_above_does_not():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    asked = problem(x, x @ (1.0, -2.0) + 3)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    bound = 2 / np.linalg.eigvalsh(z.T @ z / 40)[-1]
    fine = fit(asked, optimizer="sgd", learning_rate=0.95 * bound)
    np.testing.assert_allclose(numbers(fine), [1, -2, 3], rtol=1e-7)
    with pytest.raises(SupertuneError, match="diverged"):
        fit(asked, optimizer="sgd", learning_rate=1.05 * bound)


def test_lbfgs_with_a_batch_or_a_rate_is_refused():
    for key in ({"batch_size": 8}, {"learning_rate": 0.1}):
        with pytest.raises(ValidationError, match="all rows at once"):
            LinearRegressionOptions(**key)


def test_the_loss_is_a_curve_from_one_half_down(diabetes):
    found = fit(problem(*diabetes), optimizer="momentum")
    assert isinstance(found, Noted)
    (curve,) = found.notes().curves
    places, losses = zip(*curve.points, strict=True)
    assert list(places) == list(range(len(places)))
    assert losses[0] == pytest.approx(0.5)
    assert losses[-1] == min(losses) < 0.25


def test_intervals_are_those_of_least_squares(diabetes):
    x, y = diabetes
    names = tuple("abcdefghij")
    notes = fit(problem(x, y, names=names)).notes()
    assert [one.name for one in notes.coefficients] == [*names, "offset"]
    design = np.column_stack([x, np.ones(len(x))])
    off = y - design @ closed(x, y)
    freedom = len(y) - 11
    errors = np.sqrt(off @ off / freedom * np.diag(np.linalg.inv(design.T @ design)))
    from scipy.stats import t

    half = errors * t.ppf(0.975, freedom)
    for one, value, width in zip(notes.coefficients, closed(x, y), half, strict=True):
        assert one.value == pytest.approx(value, rel=1e-6)
        assert one.low == pytest.approx(value - width, rel=1e-4, abs=1e-6)
        assert one.high == pytest.approx(value + width, rel=1e-4, abs=1e-6)


def test_intervals_hold_the_truth_19_times_in_20():
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        x = rng.normal(size=(15, 2))
        y = x @ (1.0, 0.0) + rng.normal(0, 2.0, 15)
        slope = fit(problem(x, y)).notes().coefficients[0]
        held += slope.low <= 1.0 <= slope.high
    assert 180 <= held <= 198


@pytest.mark.parametrize(
    ("why", "options", "rows", "weights"),
    [
        ("a penalty", {"l2": 0.1}, 20, None),
        ("a penalty", {"l1": 0.1}, 20, None),
        ("too few", {}, 4, None),
        ("unlike weight", {}, 20, np.linspace(0.5, 1.5, 20)),
    ],
)
def test_where_no_interval_holds_there_is_none_and_the_reason(why, options, rows, weights):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3))
    notes = fit(problem(x, x.sum(axis=1) + rng.normal(size=rows), weights), **options).notes()
    assert all(one.low is None and one.high is None for one in notes.coefficients)
    assert why in notes.about


def test_columns_that_depend_on_each_other_have_no_interval():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 2))
    x = np.column_stack([x, x.sum(axis=1)])
    found = fit(problem(x, x[:, 2] + rng.normal(size=30)))
    assert "sums of others" in found.notes().about
    assert np.isfinite(numbers(found)).all()


def test_weights_count_rows_as_often():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 2)), rng.normal(size=12)
    times = rng.integers(1, 4, 12)
    weighed = fit(problem(x, y, times / times.mean()))
    written = fit(problem(x.repeat(times, axis=0), y.repeat(times)))
    np.testing.assert_allclose(numbers(weighed), numbers(written), rtol=1e-6)


def test_large_offsets_lose_no_digits():
    rng = np.random.default_rng(0)
    x = rng.normal((1e7, -3e8), size=(50, 2))
    found = fit(problem(x, x @ (2.0, -1.0) + 5e6))
    np.testing.assert_allclose(found.weight, (2.0, -1.0), rtol=1e-6)


def test_progress_is_told_to_an_end():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    told = []
    asked = problem(x, x[:, 0] + rng.normal(size=40))
    telling = Problem(asked.examples, asked.head, None, 0, lambda *step: told.append(step))
    fit(telling, optimizer="adam", batch_size=8, epochs=5)
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
