import numpy as np
import pytest

from supertune import metrics
from supertune.contracts import Examples
from supertune.evaluation.learning_curve import folds, observed, shrunk, sizes


def rows(targets, groups=None):
    n = len(targets)
    return Examples(
        tuple(f"row {i}" for i in range(n)),
        np.asarray(targets),
        tuple(f"label {i}" for i in range(int(max(targets)) + 1)),
        np.arange(1, n + 1),
        groups=groups,
    )


@pytest.mark.parametrize(("learnt", "outputs"), [(13, 2), (102, 2), (102, 20), (900, 5)])
def test_sizes_grow_from_two_rows_a_label_to_below_what_is_learnt_from(learnt, outputs):
    found = sizes(learnt, outputs)
    assert found == sorted(set(found))
    assert 2 * outputs <= found[0]
    assert found[-1] < learnt


def test_too_few_rows_have_no_smaller_size():
    assert sizes(16, 8) == []


def test_each_row_is_asked_once_a_repeat_and_groups_stay_together():
    groups = np.repeat(np.arange(8), 3)
    made = folds(rows(np.tile([0, 1], 12), groups), repeats=2, seed=0)
    assert len(made) == 2
    for one in made:
        assert sorted(np.concatenate([test for _, test in one])) == list(range(24))
        for train, test in one:
            assert not set(groups[train]) & set(groups[test])


def test_a_smaller_size_is_part_of_a_larger_one_and_holds_every_label():
    examples = rows([0] * 30 + [1] * 4 + [2] * 2)
    made = folds(examples, repeats=1, seed=0)
    small, large = (shrunk(made, size, examples, seed=0)[0] for size in (6, 12))
    for (few, test), (more, same), (whole, _) in zip(small, large, made[0], strict=True):
        assert len(few) == 6
        assert len(more) == 12
        assert set(few) <= set(more) <= set(whole)
        assert np.array_equal(test, same)
        assert set(examples.targets[few]) == set(examples.targets[whole])


def test_points_are_errors_and_move_together():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 2, 60)
    examples = rows(targets)
    # The larger size answers what the smaller one does, and half of its mistakes rightly.
    wrong = rng.random(60) < 0.4
    better = wrong & (rng.random(60) < 0.5)
    systems = [np.eye(2)[np.where(each, 1 - targets, targets)][None] for each in (wrong, better)]
    floor = np.tile([0.5, 0.5], (60, 1))
    seen = observed(
        metrics.classification, systems, [10, 40], floor, examples, "accuracy", True, seed=0
    )
    assert seen.errors == pytest.approx([wrong.mean(), better.mean()])
    assert seen.base == pytest.approx((targets == 1).mean())
    correlation = seen.covariance[0, 1] / np.sqrt(np.prod(np.diag(seen.covariance)))
    assert 0.3 < correlation < 1
