"""Which rows are chosen, by their features alone and by doubt."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.labelling import selection
from supertune.labelling.selection import Space


def islands(*sizes: int, spread: float = 0.05, width: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Rows around as many far-off points, and which point each belongs to."""
    rng = np.random.default_rng(0)
    where = np.repeat(np.arange(len(sizes)), sizes)
    return np.eye(width)[where] + spread * rng.standard_normal((len(where), width)), where


def test_a_first_batch_takes_one_row_of_each_island() -> None:
    features, where = islands(40, 40, 40, 40, 40)
    chosen = selection.choose(Space.of(features), features[:0], 5)
    assert sorted(where[chosen]) == [0, 1, 2, 3, 4]


def test_what_is_labelled_is_not_told_again() -> None:
    features, where = islands(60, 40, 20)
    labelled = features[where != 2][::4]
    assert where[selection.choose(Space.of(features), labelled, 1)].tolist() == [2]


def test_a_single_odd_row_waits_for_those_that_stand_for_many() -> None:
    features, where = islands(50, 50, 50, 1)
    unit, all_ = Space.of(features).unit, np.ones(151, dtype=bool)
    assert 3 not in where[selection.greedy(unit, unit[:0], 3, np.ones(151), all_)]


def test_doubt_draws_the_choice_to_where_it_is() -> None:
    features, where = islands(50, 40, 30)
    space = Space.of(features)
    for here in (0, 1, 2):
        doubt = np.where(where == here, 1.0, 0.0001)
        assert where[selection.choose(space, features[:0], 1, doubt=doubt)].tolist() == [here]


def test_the_gain_that_is_kept_up_to_date_is_the_one_of_the_definition() -> None:
    rng = np.random.default_rng(3)
    seen, weight, penalty = rng.standard_normal((40, 6)), rng.random(40), 0.7

    def next_one(taken: np.ndarray) -> int:
        left = np.linalg.inv(taken.T @ taken + penalty * np.eye(6)) * penalty
        shared = seen @ left @ seen.T
        gain = (weight[:, None] * shared**2).sum(axis=0) / (np.diag(shared) + penalty)
        gain[:3] = -np.inf
        return int(gain.argmax())

    chosen = selection.greedy(seen, seen[:3], 4, weight, np.arange(40) >= 3, penalty)
    taken = seen[:3]
    for place in chosen:
        assert place == next_one(taken)
        taken = np.vstack([taken, seen[place]])


def test_no_row_comes_twice_and_no_more_than_there_are() -> None:
    features = np.random.default_rng(1).standard_normal((9, 4))
    free = np.arange(9) != 4
    chosen = selection.choose(Space.of(features), features[:0], 50, free=free)
    assert sorted(chosen) == [0, 1, 2, 3, 5, 6, 7, 8]


@pytest.mark.parametrize("features", [np.ones((3, 4)), np.zeros((1, 2))])
def test_rows_that_are_all_the_same_are_no_fault(features: np.ndarray) -> None:
    doubt = np.zeros(len(features))
    chosen = selection.choose(Space.of(features), features[:0], 2, doubt=doubt)
    assert len(chosen) == min(2, len(features))
