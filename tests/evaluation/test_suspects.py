import numpy as np

from supertune.evaluation.suspects import suspects


def opinions(rng, truth, labels, strength):
    """What a decent model thinks: noisy logits towards the true label."""
    logits = strength * np.eye(labels)[truth] + rng.normal(size=(len(truth), labels))
    chances = np.exp(logits)
    return chances / chances.sum(axis=1, keepdims=True)


def test_flipped_labels_are_found_first():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 120)
    given = truth.copy()
    flipped = rng.choice(120, 8, replace=False)
    given[flipped] = (given[flipped] + 1) % 4
    found = suspects(opinions(rng, truth, 4, 4.0), given)
    first = [one.row for one in found[:8]]
    assert len(set(first) & set(flipped.tolist())) >= 7
    assert [one.doubt for one in found] == sorted((one.doubt for one in found), reverse=True)
    by_row = {one.row: one for one in found}
    for row in set(flipped.tolist()) & set(by_row):
        assert by_row[row].given == given[row]
    right = [by_row[row].suggested == truth[row] for row in set(flipped.tolist()) & set(by_row)]
    assert sum(right) >= 7


def test_clean_confident_labels_raise_no_suspicion():
    truth = np.tile([0, 1, 2], 10)
    assert suspects(0.9 * np.eye(3)[truth] + 0.1 / 3, truth) == []


def test_a_lukewarm_other_label_is_not_enough():
    chances = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.45, 0.55]])
    given = np.array([0, 0, 1, 1, 0])
    assert suspects(chances, given) == []
    chances[4] = [0.05, 0.95]
    assert [one.row for one in suspects(chances, given)] == [4]


def test_a_row_doubted_in_one_repeat_only_is_not_suspicious():
    truth = np.tile([0, 1], 10)
    sure = 0.9 * np.eye(2)[truth] + 0.05
    slip = sure.copy()
    slip[4] = slip[4, ::-1]
    assert [one.row for one in suspects(slip, truth)] == [4]
    assert suspects(np.stack([slip, sure, sure]), truth) == []
    assert [one.row for one in suspects(np.stack([slip, slip, slip]), truth)] == [4]


def test_a_label_missing_from_a_row_of_several_is_noticed_once():
    truth = np.array([[1, 0], [1, 1], [0, 1], [0, 0]] * 8)
    chances = 0.9 * truth + 0.05
    given = truth.copy()
    given[1, 1] = 0
    found = suspects(chances, given)
    assert [(one.row, one.given) for one in found] == [(1, 1)]


def test_a_label_that_no_row_carries_is_never_suggested():
    chances = np.array([[0.1, 0.1, 0.8], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    assert suspects(chances, np.array([0, 0, 1])) == []


def test_models_that_know_nothing_accuse_no_row():
    rng = np.random.default_rng(0)
    guesses = rng.dirichlet([1.0, 1.0], size=40)
    assert suspects(guesses, rng.integers(2, size=40)) == []
