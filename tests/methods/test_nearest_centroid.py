"""The label whose rows' mean is nearest: by hand, and with one row left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from supertune.contracts import Examples, HeadSpec, Problem
from supertune.methods.nearest_centroid import METHOD, _Means


@dataclass
class Vectors:
    """A lens whose inputs are rows of a table, by number."""

    table: Any

    def features(self, inputs, *, prediction=False):
        return self.table[[int(text) for text in inputs]]


@pytest.fixture
def clouds():
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((3, 8)) * 2
    targets = np.arange(30) % 3
    table = (centres[targets] + rng.standard_normal((30, 8))).astype(np.float32)
    return Vectors(table), targets


def problem(lens, targets, labels=3, weights=None):
    inputs = tuple(map(str, range(len(targets))))
    names = tuple("abcdef"[:labels])
    examples = Examples(inputs, targets, names, np.arange(len(targets)) + 1, weights=weights)
    return Problem(examples, HeadSpec(labels, targets.ndim == 2), lens, seed=0)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_logits_are_cosines_to_the_means_of_unit_rows(clouds):
    lens, targets = clouds
    fitted = METHOD.fit(problem(lens, targets), METHOD.options(temperatures=(7.0,)))
    rows = unit(lens.table)
    means = unit(np.stack([rows[targets == label].mean(axis=0) for label in range(3)]))
    found = fitted.logits(tuple(map(str, range(30))), lens)
    np.testing.assert_allclose(found, 7 * rows @ means.T - np.log(3), atol=1e-5)
    assert fitted.tuned_parameters == 8 * 3 + 3


@pytest.mark.parametrize("several", [False, True])
def test_left_out_scores_are_those_of_means_without_the_row(clouds, several):
    lens, targets = clouds
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.5, 2, 30)
    wanted = (rng.random((30, 3)) < 0.4).astype(float) if several else np.eye(3)[targets]
    rows = unit(lens.table.astype(np.float64))
    means = _Means(rows[:, None], wanted, weights, several)
    found = means._left_out()
    for row in (0, 7, 29):
        rest = np.arange(30) != row
        part = _Means(rows[rest][:, None], wanted[rest], weights[rest], several)
        weight, _ = part.centroids()
        np.testing.assert_allclose(found[row], rows[row] @ weight, atol=1e-9)


def test_the_temperature_is_high_where_rows_lie_close_and_low_where_they_do_not(clouds):
    _, targets = clouds
    rng = np.random.default_rng(2)
    # Alike to one another as texts are, and told apart all the same.
    rows = 1 + 0.5 * np.eye(8)[targets] + 0.001 * rng.standard_normal((30, 8))
    near = Vectors(rows.astype(np.float32))
    apart = Vectors(rng.standard_normal((30, 8)).astype(np.float32))
    options = METHOD.options()
    heats = []
    for each in (near, apart):
        fitted = METHOD.fit(problem(each, targets), options)
        heats.append(np.linalg.norm(fitted.weight, axis=0).mean())
    np.testing.assert_allclose(heats, [max(options.temperatures), min(options.temperatures)])


def test_folds_are_answered_as_if_each_were_fitted_alone(clouds):
    lens, targets = clouds
    whole = problem(lens, targets)
    folds = [(np.arange(10, 30), np.arange(10)), (np.arange(20), np.arange(20, 30))]
    found = METHOD.out_of_fold(whole, METHOD.options(), folds)
    for (train, test), logits in zip(folds, found, strict=True):
        part = replace(whole, examples=whole.examples.take(train))
        alone = METHOD.fit(part, METHOD.options()).logits(tuple(map(str, test)), lens)
        np.testing.assert_allclose(logits, alone, atol=1e-6)


def test_a_label_of_one_row_and_a_label_of_none(clouds):
    lens, targets = clouds
    few = np.where(targets == 2, 0, targets)
    few[5] = 2
    fitted = METHOD.fit(problem(lens, few, labels=4), METHOD.options())
    logits = fitted.logits(tuple(map(str, range(30))), lens)
    assert np.isfinite(logits).all()
    assert logits[:, 2].argmax() == 5
    assert (logits.argmax(axis=1) != 3).all()


def test_heavier_rows_draw_their_mean_nearer(clouds):
    lens, targets = clouds
    light, heavy = np.ones(30), np.ones(30)
    heavy[0] = 20
    answers = [
        METHOD.fit(problem(lens, targets, weights=w), METHOD.options(temperatures=(1.0,)))
        .logits(("0",), lens)[0, targets[0]]
        for w in (light, heavy)
    ]  # fmt: skip
    assert answers[1] > answers[0]
