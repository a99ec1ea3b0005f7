"""Further views of rows: learned from beside the row, never judged by, left out along with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supertune import registry
from supertune.contracts import Encoding, Examples, HeadSpec, Part, Problem
from supertune.errors import InputError
from supertune.evaluation.splits import repeated_folds
from supertune.methods._views import in_views, widened
from supertune.methods.linear_probe import RidgeBatch, one_hot
from supertune.training import fitting

METHODS = ("linear_probe", "layered_probe", "nearest_centroid")
ROWS, WIDTH = 30, 8


class Lens:
    """Rows are numbered texts; the view of a number lies near its row."""

    encoding = Encoding()
    parts = tuple(Part(layer, "mean", WIDTH * (layer - 1), WIDTH * layer) for layer in (1, 2))

    class backbone:  # noqa: N801
        class offer:  # noqa: N801
            depth = 2

    def __init__(self):
        rng = np.random.default_rng(1)
        centres = np.repeat(rng.normal(size=(3, WIDTH)), 2, axis=0).reshape(3, 2 * WIDTH)
        self.table = centres[np.arange(ROWS) % 3] + rng.normal(size=(ROWS, 2 * WIDTH))
        self.asked = set()

    def readings(self, inputs, *, prediction=False):
        self.asked |= set(inputs)
        return np.stack([self._one(one) for one in inputs]).astype(np.float32)

    def features(self, inputs, *, prediction=False):
        return self.readings(inputs)[:, WIDTH:]

    def _one(self, value):
        number, _, view = value.partition("/")
        drawn = np.random.default_rng([int(number), int(view or 0)])
        return self.table[int(number)] + bool(view) * 0.4 * drawn.normal(size=2 * WIDTH)


def problem():
    targets = np.arange(ROWS) % 3
    examples = Examples(tuple(map(str, range(ROWS))), targets, ("a", "b", "c"), np.arange(ROWS))
    lens = Lens()
    return Problem(examples, HeadSpec(3), lens, seed=0, varied=lambda v, n: f"{v}/{n}")


def test_views_follow_their_row_and_share_its_weight():
    whole = problem()
    weights = np.linspace(1, 2, ROWS)
    wide = widened(replace(whole, examples=replace(whole.examples, weights=weights)), 2)
    assert wide.examples.inputs[:4] == ("0", "0/1", "0/2", "1")
    np.testing.assert_array_equal(wide.examples.targets, np.repeat(whole.examples.targets, 3))
    np.testing.assert_allclose(wide.examples.weights.reshape(ROWS, 3).sum(1), weights)
    assert wide.together == 3
    (train, test), *_ = in_views([(np.array([1, 4]), np.array([2]))], 2)
    assert train.tolist() == [3, 4, 5, 12, 13, 14]
    assert test.tolist() == [6]


@pytest.mark.parametrize("together", [2, 3])
@pytest.mark.parametrize("penalty", [0.03, 1.0])
def test_leaving_a_row_out_with_its_views_is_fitting_without_them(together, penalty):
    rng = np.random.default_rng(2)
    count = 12
    x, weights = rng.normal(size=(count * together, 6)), rng.uniform(0.5, 2, count)
    weights = np.repeat(weights / together, together)
    y = one_hot(np.repeat(np.arange(count) % 3, together), 3)
    whole = RidgeBatch(x[None], y[None], weights[None], False, together=together)
    found = (whole._left_out(penalty) / whole.root[:, ::together])[0]
    lam = penalty * whole.scale[0]
    for row in range(count):
        kept = np.delete(np.arange(len(x)), np.arange(row * together, (row + 1) * together))
        share = weights[kept] / weights[kept].sum()
        mean_x, mean_y = share @ x[kept], share @ y[kept]
        a = (x[kept] - mean_x) * np.sqrt(weights[kept])[:, None]
        b = (y[kept] - mean_y) * np.sqrt(weights[kept])[:, None]
        weight = np.linalg.solve(a.T @ a + lam * np.eye(6), a.T @ b)
        first = row * together
        wanted = y[first] - ((x[first] - mean_x) @ weight + mean_y)
        np.testing.assert_allclose(found[row], wanted, atol=1e-6)


def test_views_that_are_the_row_itself_change_nothing():
    rng = np.random.default_rng(3)
    x, y, weights = rng.normal(size=(1, 15, 20)), one_hot(np.arange(15) % 3, 3)[None], np.ones(15)
    alone = RidgeBatch(x, y, weights[None], False)
    three = RidgeBatch(
        x.repeat(3, axis=1), y.repeat(3, axis=1), weights.repeat(3)[None] / 3, False, together=3
    )
    for one, other in zip(alone.best((0.1, 1.0)), three.best((0.1, 1.0)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)
    np.testing.assert_allclose(alone.left_out, three.left_out, atol=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_no_view_of_a_row_takes_part_in_answering_it_and_none_is_answered(name):
    method, whole = registry.method(name), problem()
    options = method.options(views=2)
    folds = repeated_folds(whole.examples, folds=3, repeats=1, seed=0)
    together = fitting.out_of_fold(method, whole, options, folds)
    assert together.shape == (1, ROWS, 3)
    for train, test in folds[0]:
        part = replace(whole, examples=whole.examples.take(train), lens=Lens())
        tuned = fitting.fit(method, part, options)
        seen = {value.partition("/")[0] for value in part.lens.asked}
        assert seen == {str(i) for i in train}
        alone = tuned.logits([str(i) for i in test], Lens())
        np.testing.assert_allclose(together[0, test], alone, rtol=1e-3, atol=1e-3)
    without = fitting.out_of_fold(method, whole, method.options(), folds)
    assert np.abs(without - together).max() > 1e-3


@pytest.mark.parametrize("name", METHODS)
def test_rows_that_have_no_views_are_refused(name):
    method, whole = registry.method(name), replace(problem(), varied=None)
    with pytest.raises(InputError) as caught:
        fitting.fit(method, whole, method.options(views=1))
    assert caught.value.code == "no_views"
