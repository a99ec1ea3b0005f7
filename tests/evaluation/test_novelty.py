import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from supertune.contracts import UNLIKE
from supertune.evaluation import novelty


def rows(count, seed=0, width=40, away=0.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, width)) * np.linspace(3, 0.2, width) + away


@pytest.mark.parametrize("count", [15, 300])
def test_a_distance_is_that_of_mahalanobis_under_the_covariance_of_ledoit_and_wolf(count):
    given, new = rows(count), rows(20, 1)
    reference = LedoitWolf().fit(given)
    found = novelty.described(given).distances(new)
    assert found == pytest.approx(reference.mahalanobis(new), rel=1e-6)


def test_18_rows_can_mark_nothing_and_19_can():
    assert novelty.learned({"meaning": rows(18)}) == {}
    kept = novelty.learned({"meaning": rows(19)})
    found = novelty.likeness(kept, {"meaning": rows(5, 1, away=100)})
    assert found == pytest.approx(1 / 20)
    assert (found <= UNLIKE).all()


def test_about_one_row_in_twenty_like_them_is_marked_and_every_row_far_away():
    alarms = []
    for seed in range(40):
        kept = novelty.learned({"meaning": rows(60, seed)})
        alarms.append((novelty.likeness(kept, {"meaning": rows(400, 900 + seed)}) <= UNLIKE).mean())
    assert 0.02 < np.mean(alarms) < 0.065
    assert (novelty.likeness(kept, {"meaning": rows(50, 2, away=9)}) <= UNLIKE).all()


def test_a_row_that_is_odd_in_one_view_alone_is_marked():
    kept = novelty.learned({"meaning": rows(100), "form": rows(100, 1, 6)})
    usual = {"meaning": rows(50, 2), "form": rows(50, 3, 6)}
    odd = {"meaning": rows(50, 2), "form": rows(50, 3, 6, away=30)}
    assert (novelty.likeness(kept, usual) <= UNLIKE).mean() < 0.2
    assert (novelty.likeness(kept, odd) <= UNLIKE).all()
    assert novelty.views_known(kept) == ["form", "meaning"]


def test_many_rows_of_few_numbers_leave_nothing_to_rounding():
    """The covariance is hardly shrunk then, and what is kept has float32's precision."""
    given = np.exp(rows(3000, width=3) * 3)
    kept = novelty.learned({"meaning": given}, own_units=("meaning",))
    again = novelty.likeness(kept, {"meaning": given[: novelty.ROWS]})
    assert 0.03 < (again <= UNLIKE).mean() < 0.07


def test_a_group_counts_as_one_row():
    assert novelty.learned({"meaning": rows(90)}, np.arange(90) % 18) == {}
    assert novelty.known(novelty.learned({"meaning": rows(90)}, np.arange(90) % 19))


def test_copies_in_a_group_do_not_vouch_for_one_another():
    """Each row twice: without groups a row lies where its copy has been, so new rows seem far."""
    twice, new = np.repeat(rows(40, width=200), 2, axis=0), {"meaning": rows(200, 5, width=200)}
    loose = novelty.learned({"meaning": twice})
    grouped = novelty.learned({"meaning": twice}, np.repeat(np.arange(40), 2))
    assert (novelty.likeness(loose, new) <= UNLIKE).mean() > 0.5
    assert (novelty.likeness(grouped, new) <= UNLIKE).mean() < 0.15


def test_units_of_their_own_do_not_matter():
    given, new, units = rows(80), rows(30, 1, away=2), np.geomspace(1e-6, 1e6, 40)
    one = novelty.likeness(novelty.learned({"meaning": given}, own_units=("meaning",)),
                           {"meaning": new})  # fmt: skip
    two = novelty.likeness(novelty.learned({"meaning": given * units}, own_units=("meaning",)),
                           {"meaning": new * units})  # fmt: skip
    assert one == pytest.approx(two)


def test_columns_that_never_change_and_rows_all_alike_are_borne():
    constant = np.ones((30, 4))
    kept = novelty.learned({"meaning": constant}, own_units=("meaning",))
    assert np.isfinite(novelty.likeness(kept, {"meaning": rows(3, width=4)})).all()


def test_no_row_is_kept():
    given = rows(200, width=300)
    for name, array in novelty.learned({"meaning": given}).items():
        assert len(np.atleast_1d(array)) <= 300, name
        if array.ndim == 2:
            for one in given[:20]:
                assert not np.isclose(array, one, atol=1e-3).all(axis=1).any()
