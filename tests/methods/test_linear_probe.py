from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from supertune.contracts import Examples, HeadSpec, Problem
from supertune.evaluation.splits import repeated_folds
from supertune.methods.linear_probe import METHOD, TEMPERATURES, Head, RidgeBatch, one_hot, solve

PENALTIES = METHOD.options().penalties


@pytest.fixture(scope="module")
def features(news, lens):
    return lens.features(news.inputs)


@pytest.fixture(scope="module")
def targets(news):
    return one_hot(news.targets, len(news.labels))


@pytest.fixture(scope="module")
def weights(news):
    drawn = np.random.default_rng(0).uniform(0.2, 3, len(news))
    return drawn / drawn.mean()


def mean_square(features, weights):
    centred = features - np.average(features, axis=0, weights=weights)
    return np.average((centred**2).sum(axis=1), weights=weights)


def ridge(features, targets, weights, penalty):
    """scikit-learn's ridge at the same absolute penalty."""
    alpha = penalty * mean_square(features, weights)
    return Ridge(alpha=alpha, solver="cholesky").fit(
        features.astype(np.float64), targets, sample_weight=weights
    )


@pytest.mark.parametrize("penalty", [0.03, 1.0])
@pytest.mark.parametrize("width", [384, 12])  # more columns than rows, and fewer
def test_the_head_is_ridge_regression_times_one_temperature(
    features, targets, weights, penalty, width
):
    part = features[:, :width]
    head = solve(part, targets, weights, [penalty], False)
    expected = ridge(part, targets, weights, penalty)
    heat = np.linalg.norm(head.weight) / np.linalg.norm(expected.coef_)
    assert np.isclose(TEMPERATURES, heat, rtol=1e-5).any()
    np.testing.assert_allclose(head.weight, expected.coef_.T * heat, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(head.bias, expected.intercept_ * heat, rtol=1e-3, atol=1e-4)


def left_out(features, targets, weights, penalty):
    """(n, C) scores of each row by a ridge fitted on all the others, one after the other."""
    alpha = penalty * mean_square(features, weights) * np.ones(targets.shape[1])
    scores = np.zeros(targets.shape)
    for row in range(len(features)):
        others = np.delete(np.arange(len(features)), row)
        model = Ridge(alpha=alpha, solver="cholesky").fit(
            features[others], targets[others], sample_weight=weights[others]
        )
        scores[row] = model.predict(features[[row]])[0]
    return scores


@pytest.mark.parametrize("width", [384, 12])
def test_leave_one_out_in_closed_form_is_leaving_each_row_out(features, targets, weights, width):
    part = features[:, :width].astype(np.float64)
    solved = RidgeBatch(part[None], targets[None], weights[None], multi_label=False)
    loss, heat = solved.assess(0.3)
    logits = left_out(part, targets, weights, 0.3) * heat[0]
    likelihood = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(loss[0], -(likelihood * targets).sum(axis=1), rtol=1e-7)


def test_the_penalty_is_the_largest_within_one_standard_error_of_the_least(features, targets):
    ones = np.ones(len(features))
    solved = RidgeBatch(features[None], targets[None], ones[None], multi_label=False)
    by_row = np.stack([solved.assess(penalty)[0][0] for penalty in PENALTIES])
    loss = by_row.mean(axis=1)
    least = by_row[loss.argmin()]
    allowed = loss.min() + least.std() / np.sqrt(len(least))
    wanted = max(p for p, value in zip(PENALTIES, loss, strict=True) if value <= allowed)
    assert wanted != PENALTIES[loss.argmin()]  # otherwise the rule would not be seen at work
    chosen = solve(features, targets, ones, PENALTIES, False)
    alone = solve(features, targets, ones, [wanted], False)
    np.testing.assert_array_equal(chosen.weight, alone.weight)


def test_a_row_of_weight_two_pulls_like_two_rows(features, targets):
    counts = np.random.default_rng(1).integers(1, 4, len(features))
    mean = counts.mean()
    weighted = solve(features, targets, counts / mean, [0.3], False)
    # A penalty counts for one row; more rows of the same kind need as much more of it.
    repeated = solve(
        features.repeat(counts, axis=0),
        targets.repeat(counts, axis=0),
        np.ones(counts.sum()),
        [0.3 * mean],
        False,
    )
    directions = [head.weight / np.linalg.norm(head.weight) for head in (weighted, repeated)]
    np.testing.assert_allclose(*directions, atol=1e-6)
    unweighted = solve(features, targets, np.ones(len(features)), [0.3], False)
    other = unweighted.weight / np.linalg.norm(unweighted.weight)
    assert np.abs(directions[0] - other).max() > 1e-3


def test_all_folds_at_once_answer_like_models_fitted_one_by_one(news, lens, weights, problem_of):
    problem = problem_of(replace(news, weights=weights), lens)
    folds = [f for one in repeated_folds(news, folds=3, repeats=2, seed=0) for f in one]
    together = METHOD.out_of_fold(problem, METHOD.options(), folds)
    for (train, test), logits in zip(folds, together, strict=True):
        alone = METHOD.fit(
            replace(problem, examples=problem.examples.take(train)), METHOD.options()
        )
        texts = [news.inputs[i] for i in test]
        np.testing.assert_allclose(logits, alone.logits(texts, lens), atol=1e-3)


def test_a_held_out_row_does_not_touch_the_answer_to_itself(news, lens, problem_of):
    train, test = np.arange(1, len(news)), np.array([0])
    options = METHOD.options()
    before = METHOD.out_of_fold(problem_of(news, lens), options, [(train, test)])[0]
    relabelled = news.targets.copy()
    relabelled[0] = (relabelled[0] + 1) % 5
    changed = problem_of(replace(news, targets=relabelled), lens)
    np.testing.assert_array_equal(METHOD.out_of_fold(changed, options, [(train, test)])[0], before)


def test_several_labels_a_row_are_that_many_yes_or_no_answers(news, lens, problem_of):
    several = one_hot(news.targets, 5)
    several[:, 0] = np.maximum(several[:, 0], several[:, 1])  # whatever is 1 is also 0
    problem = problem_of(replace(news, targets=several), lens)
    head = METHOD.fit(problem, METHOD.options())
    answers = head.logits(news.inputs, lens) > 0
    assert (answers == several.astype(bool)).mean() > 0.95
    assert answers[several[:, 1] == 1].sum(axis=1).mean() == pytest.approx(2, abs=0.2)


def test_eight_rows_a_class_tell_unseen_news_apart(draw, lens, problem_of):
    train, test = draw(1, test_rows=50)
    head = METHOD.fit(problem_of(train, lens), METHOD.options())
    right = head.logits(test.inputs, lens).argmax(axis=1) == test.targets
    assert right.mean() > 0.8


def test_rows_that_are_all_the_same_are_answered_with_the_larger_class():
    features, targets = np.ones((6, 4)), one_hot(np.array([0, 0, 0, 0, 1, 1]), 2)
    head = solve(features, targets, np.ones(6), PENALTIES, False)
    np.testing.assert_allclose(head.weight, 0, atol=1e-12)
    assert head.apply(features[:1]).argmax() == 0


def test_the_head_comes_back_from_its_arrays(features, targets):
    head = solve(features, targets, np.ones(len(features)), PENALTIES, False)
    again = Head.from_arrays(head.state().arrays)
    np.testing.assert_array_equal(head.apply(features), again.apply(features))
    assert head.tuned_parameters == 384 * 5 + 5


def valued(x, y):
    """Rows of numbers with a value each."""
    rows = tuple(map(tuple, x.tolist()))
    names = tuple(f"x{i}" for i in range(x.shape[1]))
    examples = Examples(rows, y, ("y",), np.arange(1, len(y) + 1), columns=names)
    return Problem(examples, HeadSpec(1, valued=True), None, 0)


def test_values_are_answered_by_ridge_at_a_penalty_chosen_by_leave_one_out():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    x = rng.normal(0, (1, 10, 100), (40, 3)) + 5
    y = x @ (3.0, 0.2, 0.0) + rng.normal(0, 2, 40) + 50
    found = METHOD.fit(valued(x, y), METHOD.options(penalties=(0.1,)))
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    ridge = Ridge(alpha=0.1 * 3).fit(z, y)  # the mean squared norm of three standard columns
    np.testing.assert_allclose(found.weight[:, 0] * x.std(axis=0), ridge.coef_, rtol=1e-8)
    np.testing.assert_allclose(found.logits(valued(x, y).examples.inputs, None)[:, 0],
                               ridge.predict(z), rtol=1e-8)  # fmt: skip
    assert found.weight.dtype == np.float64


def test_noise_is_given_the_largest_penalty_and_a_clear_line_the_least():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 5))
    path = METHOD.options(penalties=(0.001, 10.0))
    y = rng.normal(size=40)
    noise = METHOD.fit(valued(x, y), path)
    plain = METHOD.fit(valued(x, y), METHOD.options(penalties=(0.001,)))
    clear = METHOD.fit(valued(x, x[:, 0] * 3), path)
    # Each of five standard columns weighs 40; the penalty is ten times their squared norm of 5.
    assert np.linalg.norm(noise.weight) < 0.6 * np.linalg.norm(plain.weight)
    assert clear.weight[0, 0] == pytest.approx(3, rel=0.01)
