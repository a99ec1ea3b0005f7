"""When the folds seen so far say that a candidate can no longer win."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from supertune import registry
from supertune.choose import halving
from supertune.choose.halving import Contest, Rival
from supertune.evaluation.resampling import Sampling

TASK = registry.task("text_classification")


def answers(right):
    """(n, 2) of a classifier that is right where ``right`` says; the truth is label 0."""
    right = np.asarray(right, dtype=bool)
    return np.stack([np.where(right, 0.9, 0.1), np.where(right, 0.1, 0.9)], axis=1)


def contest(n, metric="accuracy", groups=None, tolerance=1.0, decider=None):
    score = partial(lambda a, t, w=None: TASK.score(a, t, w, None))
    larger = TASK.metrics[metric]
    sampling = Sampling(n, 0, groups)
    return Contest(
        score, metric, larger, larger, np.zeros(n, dtype=int), sampling, tolerance, decider
    )


def rival(made, right, name="simple", simplicity=(20, 0)):
    given = answers(right)[None]
    return Rival(name, simplicity, given, *made.standing(given))


def test_a_candidate_far_behind_is_hopeless_after_one_fold_and_one_ahead_is_not():
    made = contest(40)
    base = rival(made, [1] * 34 + [0] * 6)
    against, needed = halving.to_beat(made, [base], (52, 0))
    assert against is base
    assert needed == pytest.approx(base.error)
    seen = np.arange(8)
    bad = halving.outlook(made, base, needed, answers([0] * 5 + [1] * 3), seen)
    assert bad.difference == pytest.approx(-5 / 8)
    assert bad.hopeless
    good = halving.outlook(made, base, needed, answers([1] * 8), seen)
    assert not good.hopeless
    assert good.upper > 0


def test_equality_on_few_rows_proves_little_and_on_most_of_them_enough():
    made = contest(40)
    base = rival(made, [1, 1, 1, 0] * 10)
    _, needed = halving.to_beat(made, [base], (52, 0))
    same = np.array([1, 1, 1, 0] * 10)
    found = [
        halving.outlook(made, base, needed, answers(same[:k]), np.arange(k)) for k in (8, 16, 36)
    ]
    assert [one.hopeless for one in found] == [False, False, True]
    assert found[0].upper > found[1].upper > found[2].upper >= 0


def test_the_bound_closes_on_the_difference_when_all_rows_are_seen():
    made = contest(20)
    base = rival(made, [1] * 15 + [0] * 5)
    found = halving.outlook(made, base, 0.0, answers([1] * 18 + [0] * 2), np.arange(20))
    assert found.upper == pytest.approx(found.difference) == pytest.approx(3 / 20)


def test_what_is_simpler_may_be_worse_by_a_standard_error():
    made = contest(40)
    best = rival(made, [1] * 36 + [0] * 4, "dear", (50, 0))
    base = rival(made, [1] * 20 + [0] * 20, "plain", (10, 0))
    against, needed = halving.to_beat(made, [base, best], (40, 0))
    assert (against, needed) == (best, -best.error)
    near = rival(made, [1] * 35 + [0] * 5, "near", (10, 0))
    against, needed = halving.to_beat(made, [near, best], (40, 0))
    assert (against, needed) == (near, near.error)  # near would be chosen, so it is to be beaten


def test_without_a_tolerance_the_best_is_to_be_beaten_or_equalled_by_what_is_simpler():
    made = contest(40, tolerance=0.0)
    best = rival(made, [1] * 36 + [0] * 4, "dear", (50, 0))
    near = rival(made, [1] * 35 + [0] * 5, "near", (10, 0))
    assert halving.first(made, [near, best]) is best
    for rank, sign in (((60, 0), 1), ((40, 0), -1)):
        against, needed = halving.to_beat(made, [near, best], rank)
        assert against is best
        assert needed == pytest.approx(0.0, abs=1e-6)
        assert np.sign(needed) == sign
    equal = rival(made, [1] * 36 + [0] * 4, "equal", (20, 0))
    assert halving.first(made, [best, equal]) is equal


def test_with_a_decider_what_may_be_as_good_goes_on_unless_it_is_less_sure_too():
    made = contest(40, tolerance=2.0, decider="log_loss")
    right = np.array([1] * 30 + [0] * 10)
    base = rival(made, right)
    assert base.loss > 0
    rows = np.arange(0, 40, 2)
    rank = (52, 0)
    same = answers(right[rows])
    modest = np.where(same > 0.5, 0.85, 0.15)
    assert not halving.chances(made, [base], rank, modest, rows).hopeless
    # As often right, and far too sure of what is wrong: neither the better nor the surer one.
    rash = np.where(same > 0.5, 0.9999, 0.0001)
    found = halving.chances(made, [base], rank, rash, rows)
    assert found.hopeless
    assert found.shortfall is not None
    assert found.shortfall.difference < 0
    bad = halving.chances(made, [base], rank, answers(1 - right[rows]), rows)
    assert bad.hopeless
    # The surer of two wins, whatever stands first.
    surer = rival(made, right, "surer", (60, 0))
    surer = Rival("surer", (60, 0), surer.answers, surer.score, surer.error, base.loss / 2)
    assert halving.first(made, [base, surer]) is surer


def test_nothing_is_left_to_be_won_beside_a_rival_without_mistakes():
    made = contest(40)
    base = rival(made, [1] * 30 + [0] * 10)
    assert halving.out_of_reach(made, [base, rival(made, [1] * 40)])
    assert not halving.out_of_reach(made, [base])


def test_less_is_better_for_a_loss():
    made = contest(40, "log_loss")
    base = rival(made, [1] * 30 + [0] * 10)
    _, needed = halving.to_beat(made, [base], (52, 0))
    worse = halving.outlook(made, base, needed, answers([0] * 16), np.arange(16))
    assert worse.difference < 0
    assert worse.hopeless
    better = halving.outlook(made, base, needed, answers([1] * 16), np.arange(24, 40))
    assert better.difference > 0
    assert not better.hopeless


def test_rows_of_a_group_count_as_one():
    groups = np.repeat(np.arange(10), 4)
    alone, grouped = contest(40), contest(40, groups=groups)
    right = np.array(([1] * 4 + [0] * 4) * 5)
    seen = np.arange(16)
    bounds = [
        halving.outlook(made, rival(made, [1] * 40), 0.0, answers(right[:16]), seen).upper
        for made in (alone, grouped)
    ]
    assert bounds[1] > bounds[0]


@pytest.mark.parametrize("tolerance", [0.0, 1.0])
@pytest.mark.parametrize("gain", [0.15, 0.25])
def test_what_would_have_won_is_rarely_stopped(gain, tolerance):
    """Folds of 8 of 40 rows, accuracy .7 against .7 + gain: of the candidates that would have been
    chosen on all rows at most one in ten is stopped on the way."""
    rng, n, stopped, won = np.random.default_rng(0), 40, 0, 0
    for _ in range(120):
        made = contest(n, tolerance=tolerance)
        base = rival(made, rng.random(n) < 0.7)
        _, needed = halving.to_beat(made, [base], (52, 0))
        right = rng.random(n) < 0.7 + gain
        full = right.mean() - base.score
        if full <= needed:
            continue
        won += 1
        stopped += any(
            halving.outlook(made, base, needed, answers(right[:k]), np.arange(k)).hopeless
            for k in (8, 16, 24, 32)
        )
    assert won > 30
    assert stopped <= 0.1 * won
