from dataclasses import replace

import numpy as np
import pytest

from supertune import registry
from supertune.catalogue.corpora import few_shot
from supertune.config import recipe
from supertune.contracts import Columns
from supertune.errors import InputError
from supertune.evaluation.splits import repeated_folds
from supertune.methods.linear_probe import METHOD as LINEAR
from supertune.methods.linear_probe import RidgeBatch, arrays, one_hot
from supertune.methods.named_probe import METHOD, directions
from supertune.pipeline import Workshop


def accuracy(method, options, train, test, problem_of, lens):
    head = method.fit(problem_of(train, lens), options)
    return (head.logits(test.inputs, lens).argmax(axis=1) == test.targets).mean()


def test_with_two_rows_a_label_the_names_help(draw, lens, problem_of):
    gained = []
    for seed in range(3):
        train, test = draw(seed, test_rows=60)
        few = train.take(np.flatnonzero([(train.targets[:i] == t).sum() < 2
                                         for i, t in enumerate(train.targets)]))  # fmt: skip
        with_names, without = (
            accuracy(method, method.options(), few, test, problem_of, lens)
            for method in (METHOD, LINEAR)
        )
        gained.append(with_names - without)
    assert np.mean(gained) > 0.02


def test_names_that_point_the_wrong_way_are_left(news, draw, lens, problem_of):
    """Labels called by each other's names: the head must not follow them against its rows."""
    train, test = draw(0, test_rows=60)
    turned = tuple(np.roll(train.labels, 1))
    misnamed, judged = replace(train, labels=turned), replace(test, labels=turned)
    own = accuracy(METHOD, METHOD.options(), misnamed, judged, problem_of, lens)
    plain = accuracy(LINEAR, LINEAR.options(), misnamed, judged, problem_of, lens)
    assert own >= plain - 0.05


def test_without_names_and_with_one_penalty_it_is_the_linear_probe(news, lens, problem_of):
    problem = problem_of(news, lens)
    named = METHOD.fit(problem, METHOD.options(shares=(0.0,), penalties=(0.3,)))
    plain = LINEAR.fit(problem, LINEAR.options(penalties=(0.3,)))
    np.testing.assert_allclose(named.weight, plain.weight, rtol=1e-6)
    np.testing.assert_allclose(named.bias, plain.bias, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("several", [False, True])
def test_leave_one_out_beside_given_scores_is_leaving_each_row_out(news, lens, several):
    features = lens.features(news.inputs).astype(np.float64)
    targets = one_hot(news.targets, len(news.labels))
    scores = np.random.default_rng(0).normal(size=targets.shape)
    n = len(features)
    batch = RidgeBatch(features[None], targets[None], np.ones((1, n)), several).beside(scores[None])
    residual = (batch.residual_y - batch.left @ (
        (batch.values / (batch.values + 0.3 * batch.scale[:, None]))[..., None] * batch.projected
    ))[0]  # fmt: skip
    row, others = 3, np.delete(np.arange(n), 3)
    centre, rest = features[others].mean(axis=0), (targets - scores)[others]
    # The penalty in absolute units stays that of all rows.
    gram = (features[others] - centre).T @ (features[others] - centre)
    lam = 0.3 * batch.scale[0]
    weight = np.linalg.solve(
        gram + lam * np.eye(features.shape[1]),
        (features[others] - centre).T @ (rest - rest.mean(axis=0)),
    )
    left_out = (features[row] - centre) @ weight + rest.mean(axis=0)
    shrink = batch.values[0] / (batch.values[0] + lam)
    leverage = (batch.left[0, row] ** 2) @ shrink + 1 / n
    np.testing.assert_allclose(
        residual[row] / (1 - leverage), (targets - scores)[row] - left_out, rtol=1e-5, atol=1e-8
    )


def test_folds_are_the_fits_of_their_training_sides(news, lens, problem_of):
    problem, options = problem_of(news, lens), METHOD.options()
    folds = repeated_folds(news, folds=3, repeats=1, seed=0)[0]
    for (train, test), together in zip(
        folds, METHOD.out_of_fold(problem, options, folds), strict=True
    ):
        alone = METHOD.fit(problem_of(news.take(train), lens), options)
        np.testing.assert_allclose(
            together, alone.apply(problem.features[test]), rtol=1e-4, atol=1e-5
        )


def test_row_weights_count_as_so_many_rows(news, lens, problem_of):
    twice = np.concatenate([np.arange(len(news)), np.arange(4)])
    weights = np.ones(len(news))
    weights[:4] = 2
    weighted = problem_of(replace(news, weights=weights / weights.mean()), lens)
    options = METHOD.options(shares=(0.5,), penalties=(0.3,))
    assert arrays(weighted)[0].shape == (len(news), 384)
    a = METHOD.fit(weighted, options).apply(weighted.features)
    b = METHOD.fit(problem_of(news.take(twice), lens), options).apply(weighted.features)
    assert np.abs(a - a.mean(axis=0)).std() > 0
    np.testing.assert_array_equal(a.argmax(axis=1), b.argmax(axis=1))


def test_a_phrase_without_the_label_is_refused(news, lens, problem_of):
    with pytest.raises(InputError) as caught:
        METHOD.fit(problem_of(news, lens), METHOD.options(phrase="news"))
    assert caught.value.code == "phrase_hides_label"


def test_labels_that_are_numbers_name_nothing(news, lens, problem_of):
    numbered = replace(news, labels=tuple(map(str, range(len(news.labels)))))
    both = [
        METHOD.fit(problem_of(numbered, lens), METHOD.options(shares=shares))
        for shares in ((0.0,), (0.0, 1.0))
    ]
    np.testing.assert_allclose(both[0].weight, both[1].weight, rtol=1e-5, atol=1e-6)


def test_a_backbone_of_pictures_reads_no_names_and_leaves_them_out() -> None:
    train, _ = few_shot("emoji", per_class=4, test_rows=0, seed=0)
    kept = [row for row in train if row[1] in ("Flags", "Objects")]
    rows = registry.task("image_classification").read(kept, Columns()).train
    workshop = Workshop(recipe({"task": "image_classification", "backbone": "dinov2-small"}))
    problem = workshop.problem(rows, "dinov2-small")
    assert not directions(problem, "{label}").any()
    head = METHOD.fit(problem, METHOD.options())
    answers = head.logits(rows.inputs, problem.lens).argmax(axis=1)
    assert (answers == rows.targets).mean() > 0.8
