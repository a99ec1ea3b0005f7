import numpy as np
import pytest

from supertune.evaluation.resampling import RESAMPLES, Sampling


@pytest.mark.parametrize("n", [1, 2, 64, 5000])
def test_every_resample_draws_as_many_rows_as_there_are(n):
    drawn = np.concatenate(list(Sampling(n, 0).drawn()))
    assert drawn.shape == (RESAMPLES, n)
    assert (drawn.sum(axis=1) == n).all()


def test_rows_of_a_group_are_drawn_together():
    groups = np.array([5, 5, 2, 2, 2, 9])
    drawn = np.concatenate(list(Sampling(6, 0, groups).drawn()))
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, 2] == drawn[:, 4]).all()
    assert (drawn[:, [0, 2, 5]].sum(axis=1) == 3).all()


def test_the_rows_left_out_are_those_that_were_not_drawn():
    sampling = Sampling(40, 3)
    drawn = np.concatenate(list(sampling.drawn()))
    left_out = np.concatenate(list(sampling.left_out()))
    np.testing.assert_array_equal(left_out > 0, drawn == 0)
    assert left_out.mean() == pytest.approx(np.exp(-1), abs=0.02)


def test_row_weights_multiply_the_draws():
    weights = np.array([1.0, 2.0, 0.5])
    plain, weighted = Sampling(3, 0), Sampling(3, 0, None, weights)
    for a, b in zip(plain.weightings(), weighted.weightings()):
        np.testing.assert_allclose(a * weights, b)


def test_groups_and_uneven_weights_are_worth_fewer_independent_units():
    assert Sampling(12, 0).units == pytest.approx(12)
    assert Sampling(12, 0, np.repeat(np.arange(4), 3)).units == pytest.approx(4)
    assert Sampling(4, 0, None, np.array([1.0, 1, 1, 9])).units == pytest.approx(144 / 84)
