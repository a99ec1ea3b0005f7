import time

import numpy as np
import pytest

from supertune.contracts import Examples
from supertune.errors import InputError
from supertune.evaluation.splits import feasible_folds, repeated_folds


def examples(targets, labels=None, groups=None):
    targets = np.asarray(targets)
    count = labels or (targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1)
    n = len(targets)
    return Examples(
        inputs=tuple(f"text {i}" for i in range(n)),
        targets=targets,
        labels=tuple(f"label {c}" for c in range(count)),
        rows=np.arange(1, n + 1),
        groups=None if groups is None else np.asarray(groups),
    )


def check_partition(repeated, n):
    for folds in repeated:
        for train, test in folds:
            np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(n))
        asked = np.concatenate([test for _, test in folds])
        np.testing.assert_array_equal(np.sort(asked), np.arange(n))


@pytest.mark.parametrize(("rows", "labels", "folds"), [(8, 3, 5), (5, 2, 5), (8, 2, 4), (12, 4, 5)])
def test_each_fold_holds_as_many_rows_of_a_label_as_of_any_other_where_labels_are_even(
    rows, labels, folds
):
    targets = np.repeat(np.arange(labels), rows)
    repeated = repeated_folds(examples(targets), folds=folds, repeats=4, seed=1)
    assert len(repeated) == 4
    check_partition(repeated, len(targets))
    for one in repeated:
        assert len(one) == folds
        held = np.array([np.bincount(targets[test], minlength=labels) for _, test in one])
        assert np.ptp(held, axis=1).max() == 0
        assert np.ptp(held, axis=0).max() <= 1


def test_even_labels_with_fewer_rows_than_folds_are_dealt_one_after_another():
    targets = np.repeat(np.arange(4), 3)
    (folds,) = repeated_folds(examples(targets), folds=5, repeats=1, seed=0)
    check_partition([folds], 12)
    assert sorted(len(test) for _, test in folds) == [2, 2, 2, 3, 3]
    assert all(set(targets[train]) == {0, 1, 2, 3} for train, _ in folds)


def test_folds_of_uneven_labels_do_not_all_show_the_shares_that_they_are_judged_by():
    """Of rows drawn at random, the share of a label among those asked is no less a matter of
    chance than that among those learned from."""
    targets = np.array([0] * 40 + [1] * 24)
    repeated = repeated_folds(examples(targets), folds=5, repeats=40, seed=0)
    check_partition(repeated, 64)
    held = np.array([[(targets[test] == 1).sum() for _, test in one] for one in repeated])
    sizes = np.array([[len(test) for _, test in one] for one in repeated])
    assert np.ptp(sizes) <= 1
    spread = held.std()
    assert spread > 1.0


def test_the_same_seed_gives_the_same_folds_and_another_seed_others():
    rows = examples(np.repeat([0, 1, 2], 9))
    first, again, other = (
        repeated_folds(rows, folds=3, repeats=2, seed=seed) for seed in (4, 4, 5)
    )
    for a, b in zip(first, again):
        for (_, left), (_, right) in zip(a, b):
            np.testing.assert_array_equal(left, right)
    assert any(
        not np.array_equal(left, right)
        for a, b in zip(first, other)
        for (_, left), (_, right) in zip(a, b)
    )
    assert not np.array_equal(first[0][0][1], first[1][0][1])


def test_folds_drop_to_what_the_rarest_label_allows_where_each_must_hold_every_label():
    for rarest, wanted in ((3, 3), (9, 5), (2, 2)):
        rows = examples([0] * 20 + [1] * rarest)
        assert feasible_folds(rows, 5, complete=True) == wanted
    assert feasible_folds(examples([0] * 20 + [1] * 10 + [2]), 5, complete=True) == 5


def test_a_rare_label_does_not_cost_the_others_their_folds():
    targets = np.array([0] * 20 + [1] * 2)
    assert feasible_folds(examples(targets), 5) == 5
    assert feasible_folds(examples([0, 1, 1]), 5) == 3
    (folds,) = repeated_folds(examples(targets), folds=5, repeats=1, seed=0)
    assert len(folds) == 5
    assert all((targets[train] == 1).any() for train, _ in folds)


@pytest.mark.parametrize("seed", range(20))
def test_every_label_with_two_rows_is_in_every_training_part(seed):
    rng = np.random.default_rng(seed)
    targets = np.repeat(np.arange(6), rng.integers(2, 9, 6))
    rng.shuffle(targets)
    for folds in repeated_folds(examples(targets), folds=5, repeats=5, seed=seed):
        for train, _ in folds:
            assert set(targets[train]) == set(range(6))


@pytest.mark.parametrize("seed", range(10))
def test_groups_are_never_split_and_labels_stay_in_every_training_part(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 18, 60)
    targets = rng.integers(0, 3, 60)
    repeated = repeated_folds(examples(targets, 3, groups), folds=5, repeats=3, seed=seed)
    check_partition(repeated, 60)
    for folds in repeated:
        assert len(folds) == 5
        for train, test in folds:
            assert not set(groups[train]) & set(groups[test])
            assert set(targets[train]) == {0, 1, 2}
            assert 4 <= len(test) <= 22


def test_groups_of_one_label_each_are_spread_over_the_folds():
    groups = np.repeat(np.arange(12), 4)
    targets = np.repeat([0, 1, 2], 16)
    for folds in repeated_folds(examples(targets, 3, groups), folds=4, repeats=5, seed=0):
        for _, test in folds:
            np.testing.assert_array_equal(np.bincount(targets[test], minlength=3), [4, 4, 4])


def test_several_labels_a_row_are_each_spread_over_the_folds():
    rng = np.random.default_rng(3)
    targets = (rng.random((80, 5)) < [0.5, 0.4, 0.3, 0.2, 0.15]).astype(int)
    repeated = repeated_folds(examples(targets), folds=4, repeats=5, seed=0)
    check_partition(repeated, 80)
    for folds in repeated:
        held = np.array([targets[test].sum(axis=0) for _, test in folds])
        assert np.abs(held - targets.sum(axis=0) / 4).max() <= 2.5
        assert max(len(test) for _, test in folds) - min(len(test) for _, test in folds) <= 4
        for train, _ in folds:
            assert targets[train].any(axis=0).all()


def test_thousands_of_rows_with_near_duplicates_are_dealt_kind_by_kind():
    rng = np.random.default_rng(0)
    targets = rng.permutation(np.arange(5000) % 5)
    groups = np.arange(5000)
    groups[:500] = groups[2500:3000]
    started = time.process_time()
    repeated = repeated_folds(examples(targets, 5, groups), folds=5, repeats=10, seed=0)
    spent = time.process_time() - started
    check_partition(repeated, 5000)
    alone = np.bincount(groups, minlength=5000)[groups] == 1
    for folds in repeated:
        held = [np.bincount(targets[test][alone[test]], minlength=5) for _, test in folds]
        assert np.ptp(held, axis=0).max() <= 2
        assert np.ptp([len(test) for _, test in folds]) <= 4
        for train, test in folds:
            assert not set(groups[train]) & set(groups[test])
    # Weighing each row by itself takes over ten times as long as this sorting.
    started = time.process_time()
    for _ in range(10):
        np.unique(np.eye(5)[targets], axis=0)
    assert spent < 6 * (time.process_time() - started)


def test_a_label_with_fewer_rows_than_folds_is_dealt_one_row_to_a_fold():
    targets = np.array([0] * 30 + [1] * 20 + [2] * 4)
    for folds in repeated_folds(examples(targets), folds=5, repeats=10, seed=0):
        held = np.array([np.bincount(targets[test], minlength=3) for _, test in folds])
        assert held[:, 2].max() == 1
        assert np.ptp(held[:, 0]) <= 1


@pytest.mark.parametrize("sizes", [(8, 8, 8), (13, 7, 5), (30, 6, 5, 11), (5, 5)])
def test_each_stratified_fold_holds_its_share_of_every_label(sizes):
    targets = np.repeat(np.arange(len(sizes)), sizes)
    rows = examples(targets)
    for folds in repeated_folds(rows, folds=5, repeats=4, seed=1, stratified=True):
        held = np.array([np.bincount(targets[test], minlength=len(sizes)) for _, test in folds])
        assert np.ptp(held, axis=0).max() <= 1
        assert np.ptp(held.sum(axis=1)) <= 1


def test_uneven_rows_with_near_duplicates_are_drawn_too_and_folds_stay_of_one_size():
    rng = np.random.default_rng(0)
    targets = np.array([0] * 42 + [1] * 22)
    groups = np.arange(64)
    groups[[3, 9, 60]] = 50  # of both labels
    repeated = repeated_folds(examples(targets, 2, groups), folds=5, repeats=40, seed=0)
    check_partition(repeated, 64)
    held = []
    for folds in repeated:
        assert np.ptp([len(test) for _, test in folds]) <= 1
        for train, test in folds:
            assert not set(groups[train]) & set(groups[test])
            assert set(targets[train]) == {0, 1}
            held.append((targets[test] == 1).sum())
    assert np.std(held) > 1.0
    alone = rng.permutation(64)  # as if there were none
    plain, named = (
        repeated_folds(examples(targets, 2, each), folds=5, repeats=1, seed=0)
        for each in (None, alone)
    )
    assert [len(test) for _, test in plain[0]] == [len(test) for _, test in named[0]]


def test_of_three_uneven_labels_each_fold_holds_its_share():
    """How many rows a label is learned from matters more there than what its share gives away."""
    targets = np.array([0] * 30 + [1] * 20 + [2] * 10)
    for folds in repeated_folds(examples(targets, 3), folds=5, repeats=5, seed=0):
        for _, test in folds:
            assert np.bincount(targets[test]).tolist() == [6, 4, 2]


def test_one_row_or_one_group_is_refused_with_what_to_do():
    with pytest.raises(InputError) as caught:
        repeated_folds(examples([0], 2), folds=5, repeats=1, seed=0)
    assert caught.value.code == "too_few_rows"
    with pytest.raises(InputError) as caught:
        repeated_folds(examples([0, 1, 0, 1], 2, [9, 9, 9, 9]), folds=5, repeats=1, seed=0)
    assert caught.value.code == "too_few_groups"
    assert "--test" in str(caught.value)
