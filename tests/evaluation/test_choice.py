import numpy as np
import pytest

from supertune import metrics
from supertune.evaluation.choice import corrected_choice
from supertune.evaluation.intervals import from_folds


def guess(rng, n):
    """Answers that ignore the labels, (1, n, 2)."""
    parts = rng.random((1, n))
    return np.stack([1 - parts, parts], axis=2)


def skilled(rng, targets, accuracy, repeats=3):
    right = rng.random((1, len(targets))) < accuracy
    answers = np.where(np.repeat(right, repeats, axis=0), targets, 1 - targets)
    return 0.8 * np.eye(2)[answers] + 0.1


def choose(candidates, targets, order=None, tolerance=0.0, **options):
    return corrected_choice(
        metrics.classification, candidates, targets, "accuracy", True, order or list(candidates),
        tolerance=tolerance, seed=0, **options,
    )  # fmt: skip


def answering(counts):
    """Candidates by name that are right on the first so many of 60 rows, and the targets."""
    targets = np.tile([0, 1], 30)
    given = {
        name: np.eye(2)[np.where(np.arange(60) < count, targets, 1 - targets)][None]
        for name, count in counts.items()
    }
    return given, targets


@pytest.fixture(scope="module")
def choices_among_guesses():
    """150 times: labels are coin tosses, and the best of twelve guessers is chosen."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(150):
        targets = rng.integers(0, 2, 64)
        candidates = {f"guess {i}": guess(rng, 64) for i in range(12)}
        found.append(choose(candidates, targets, baseline=guess(rng, 64)))
    return found


def test_the_best_of_twelve_guessers_looks_good_and_the_corrected_score_does_not(
    choices_among_guesses,
):
    flattering = [max(row.estimate.value for row in one.table) for one in choices_among_guesses]
    corrected = [one.estimate.value for one in choices_among_guesses]
    assert np.mean(flattering) > 0.55
    assert np.mean(corrected) == pytest.approx(0.5, abs=0.015)
    covered = [one.estimate.low <= 0.5 <= one.estimate.high for one in choices_among_guesses]
    assert np.mean(covered) >= 0.95


def test_the_advantage_over_a_baseline_is_corrected_too(choices_among_guesses):
    gaps = [one.difference for one in choices_among_guesses]
    assert np.mean([gap.value for gap in gaps]) == pytest.approx(0, abs=0.02)
    assert np.mean([gap.low <= 0 <= gap.high for gap in gaps]) >= 0.93


def test_a_clear_winner_keeps_its_score():
    rng = np.random.default_rng(2)
    targets = rng.integers(0, 2, 100)
    candidates = {"poor": skilled(rng, targets, 0.5), "good": skilled(rng, targets, 0.9)}
    choice = choose(candidates, targets, baseline=candidates["poor"], folds=5)
    own = choice.table[1].estimate
    assert choice.winner == "good"
    assert choice.estimate.value == pytest.approx(own.value, abs=1e-9)
    assert choice.estimate.low < own.value < choice.estimate.high
    assert choice.difference.low > 0
    assert "Tsamardinos et al. 2018" in choice.estimate.how
    assert choice.estimate.how.startswith("3 x 5-fold cross-validation over 100 rows")
    assert "best accuracy" in choice.why


def test_the_simplest_within_one_standard_error_wins_in_the_order_given():
    candidates, targets = answering({"a": 40, "b": 46, "c": 48, "d": 47})
    choice = choose(candidates, targets, tolerance=1.0)
    assert [one.within for one in choice.table] == [False, True, True, True]
    assert choice.winner == "b"
    assert "simplest within one standard error" in choice.why
    assert "c (0.800)" in choice.why
    assert choose(candidates, targets, ["d", "c", "b", "a"], tolerance=1.0).winner == "d"


def test_of_equals_the_one_that_does_what_rows_cannot_judge_wins_and_the_reason_says_what():
    given, targets = answering({"reaches": 50, "simple": 51})
    choice = choose(given, targets, tolerance=1.0, serving={"reaches": "also ranks 3 items"})
    assert choice.winner == "reaches"
    assert "also ranks 3 items, which these rows cannot judge" in choice.why


def test_without_a_tolerance_the_best_wins_wherever_it_stands():
    candidates, targets = answering({"a": 40, "b": 46, "c": 48, "d": 47})
    for order in ("abcd", "dcba"):
        choice = choose(candidates, targets, list(order))
        assert choice.winner == "c"
        assert choice.why == "c has the best accuracy, 0.800."
    assert [one.within for one in choice.table] == [False, True, False, False]


def test_of_equally_good_candidates_the_simplest_wins_and_the_reason_says_so():
    candidates, targets = answering({"a": 40, "b": 48, "c": 48})
    choice = choose(candidates, targets)
    assert choice.winner == "b"
    assert choice.why == "b has the best accuracy, 0.800, as c has, and is simpler."
    assert choose(candidates, targets, ["c", "b", "a"]).winner == "c"


def test_of_those_that_cannot_be_told_apart_the_one_with_the_lowest_log_loss_wins():
    targets = np.tile([0, 1], 30)

    def sure(count, share):
        """Right on the first ``count`` rows, with a probability of ``share`` in each answer."""
        answers = np.where(np.arange(60) < count, targets, 1 - targets)
        return ((2 * share - 1) * np.eye(2)[answers] + 1 - share)[None]

    candidates = {"best": sure(48, 0.99), "surer": sure(46, 0.8), "poor": sure(30, 0.55)}
    choice = choose(candidates, targets, tolerance=2.0, decider="log_loss")
    assert [one.within for one in choice.table] == [True, True, False]
    assert choice.winner == "surer"
    assert "cannot tell surer (accuracy 0.767) from best (0.800)" in choice.why
    assert "within two standard errors" in choice.why
    assert "lowest log loss" in choice.why
    assert choose(candidates, targets, tolerance=2.0).winner == "best"
    # Of equal losses the first in the order.
    twins = {"b": candidates["surer"], "a": candidates["surer"]}
    assert choose(twins, targets, tolerance=2.0, decider="log_loss").winner == "b"


def test_the_correction_repeats_the_decision_too():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        targets = rng.integers(0, 2, 64)
        candidates = {f"guess {i}": guess(rng, 64) for i in range(12)}
        found.append(choose(candidates, targets, tolerance=2.0, decider="log_loss"))
    own = [next(row.estimate.value for row in one.table if row.name == one.winner) for one in found]
    assert np.mean(own) > 0.53
    assert np.mean([one.estimate.value for one in found]) == pytest.approx(0.5, abs=0.02)


def test_the_same_score_of_repeats_in_another_order_is_a_tie():
    """Sums of floats depend on their order; that decides nothing."""
    targets = np.tile([0, 1], 30)
    counts = (41, 44, 46, 47, 43, 45, 42)
    repeats = [answering({"x": count})[0]["x"][0] for count in counts]
    candidates = {"simple": np.stack(repeats), "elaborate": np.stack(repeats[::-1])}
    for order in (["simple", "elaborate"], ["elaborate", "simple"]):
        assert choose(candidates, targets, order).winner == order[0]


def test_of_a_loss_the_smallest_wins():
    rng = np.random.default_rng(3)
    targets = rng.integers(0, 2, 80)
    candidates = {"poor": skilled(rng, targets, 0.5), "good": skilled(rng, targets, 0.95)}
    choice = corrected_choice(
        metrics.classification, candidates, targets, "log_loss", False, ["poor", "good"],
        tolerance=0.0, seed=0,
    )  # fmt: skip
    assert choice.winner == "good"
    assert "Wilson" not in choice.estimate.how


def test_a_single_candidate_is_not_corrected():
    rng = np.random.default_rng(4)
    targets = rng.integers(0, 2, 40)
    only = skilled(rng, targets, 0.8)
    choice = choose({"only": only}, targets, folds=5)
    plain = from_folds(metrics.classification, only, targets, ["accuracy"], seed=0, folds=5)
    assert choice.estimate == plain["accuracy"]
    assert choice.why == "only was the only candidate."


def test_few_groups_still_leave_rows_to_judge_by():
    rng = np.random.default_rng(5)
    targets = rng.integers(0, 2, 40)
    candidates = {"a": skilled(rng, targets, 0.6), "b": skilled(rng, targets, 0.9)}
    choice = choose(candidates, targets, groups=np.repeat([0, 1], 20))
    assert np.isfinite([choice.estimate.value, choice.estimate.low, choice.estimate.high]).all()
    with pytest.raises(ValueError, match="one independent unit"):
        choose(candidates, targets, groups=np.zeros(40, int))


def test_an_order_that_forgets_a_candidate_is_refused():
    rng = np.random.default_rng(6)
    targets = rng.integers(0, 2, 20)
    with pytest.raises(ValueError, match="every candidate once"):
        corrected_choice(
            metrics.classification, {"a": skilled(rng, targets, 0.6)}, targets, "accuracy", True,
            ["a", "b"], tolerance=0.0, seed=0,
        )  # fmt: skip
