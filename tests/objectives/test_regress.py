"""How values are judged and bounded."""

from __future__ import annotations

import math

import numpy as np
import pytest

from supertune.contracts import Asked, Examples, Judged, Values
from supertune.errors import InputError
from supertune.objectives.regress import OBJECTIVE, half_width


def examples(values, inputs=None):
    n = len(values)
    return Examples(inputs or tuple("abcdefghijklmnopqrstuvwxyz"[:n]), np.asarray(values, float),
                    ("price",), np.arange(1, n + 1))  # fmt: skip


def test_the_width_is_the_error_of_the_rank_that_covers_one_more_row():
    errors = np.arange(1.0, 20.0)  # 19 rows
    assert half_width(errors, 19, 0.9) == 18.0  # 0.9 * 20
    assert half_width(errors, 19, 0.5) == 10.0
    assert half_width(errors, 19, 0.95) == 19.0


def test_too_few_rows_bound_nothing():
    assert half_width(np.arange(1.0, 9.0), 8, 0.9) == math.inf
    assert half_width(np.arange(1.0, 10.0), 9, 0.9) == 9.0


def test_repeats_do_not_make_more_rows_of_them():
    errors = np.arange(1.0, 9.0)
    assert half_width(np.sort(np.tile(errors, 50)), 8, 0.9) == math.inf
    assert half_width(np.sort(np.tile(errors, 50)), 8, 0.5) == half_width(errors, 8, 0.5)


def test_an_unbounded_answer_is_an_empty_cell():
    bounds = OBJECTIVE.calibration(np.zeros((1, 3, 1)), examples([1, 2, 3]), None)
    found = OBJECTIVE.bounded(Values(np.array([7.0]), "price"), bounds, Asked(0.9))
    assert found.columns() == {"value": [7.0], "low": [None], "high": [None]}
    assert found.lines() == ["7  [-inf, inf]"]


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, 90.0, float("nan")])
def test_a_coverage_that_is_no_share_is_refused(coverage):
    with pytest.raises(InputError, match="share of new rows"):
        OBJECTIVE.bounded(Values(np.zeros(1), "price"), {}, Asked(coverage))


def test_intervals_hold_as_many_new_patients_as_they_promise():
    """Over 30 draws of 150 patients to learn from and 292 held out, and three coverages."""
    from sklearn.datasets import load_diabetes

    from supertune.contracts import HeadSpec, Problem
    from supertune.evaluation.splits import repeated_folds
    from supertune.methods.linear_regression import METHOD
    from supertune.training import fitting

    given = load_diabetes(scaled=False)
    rows, y = tuple(map(tuple, given.data.tolist())), given.target.astype(float)
    every = Examples(rows, y, ("y",), np.arange(1, 443), columns=tuple(given.feature_names))
    held = {0.5: [], 0.8: [], 0.9: []}
    for draw in range(30):
        order = np.random.default_rng(draw).permutation(442)
        train, new = every.take(order[:150]), every.take(order[150:])
        asked = Problem(train, HeadSpec(1, valued=True), None, 0)
        folds = repeated_folds(train, folds=5, repeats=1, seed=draw)
        out = fitting.out_of_fold(METHOD, asked, METHOD.options(), folds)
        bounds = OBJECTIVE.calibration(out, train, None)
        tuned = METHOD.fit(asked, METHOD.options())
        answers = Values(tuned.logits(new.inputs, None)[:, 0], "y")
        for coverage, shares in held.items():
            found = OBJECTIVE.bounded(answers, bounds, Asked(coverage))
            shares.append(((found.low <= new.targets) & (new.targets <= found.high)).mean())
    for coverage, shares in held.items():
        assert coverage - 0.01 < np.mean(shares) < coverage + 0.03, (coverage, np.mean(shares))


def test_classes_have_no_place_here():
    for refuse in (
        lambda: OBJECTIVE.row_weights(examples([1, 2]), "balanced"),
        lambda: OBJECTIVE.costs(["price"], ((0, 1), (1, 0))),
    ):
        with pytest.raises(InputError, match="no classes"):
            refuse()


def test_residuals_are_true_minus_predicted_and_hold_no_row_unless_shown():
    judged = Judged(examples([1, 2, 3, 10]), np.full((4, 1), 2.0), True)
    found = OBJECTIVE.breakdown(judged, seed=0, costs=None, shown=True)["residuals"]
    assert found["mean"] == 2.0
    assert sum(found["counts"]) == found["rows"] == 4
    assert found["points"] == [[1, 2], [2, 2], [3, 2], [10, 2]]
    hidden = OBJECTIVE.breakdown(judged, seed=0, costs=None, shown=False)["residuals"]
    assert hidden["points"] == []


def test_a_row_far_from_what_the_others_say_is_told():
    answers = np.array([1.1, 1.8, 3.2, 3.9, 5.0])[None, :, None]
    rows, findings = OBJECTIVE.rows_to_look_at(examples([1, 2, 3, 4, 90]), answers, True)
    assert [finding.code for finding in findings] == ["value_looks_wrong"]
    assert findings[0].rows == (5,)
    assert (rows[0]["row"], rows[0]["why"], rows[0]["off"]) == (5, "suspicious", 85.0)
    assert OBJECTIVE.rows_to_look_at(examples([1, 2, 3, 4, 90]), answers, False)[0] == []


def test_the_floor_answers_without_the_rows():
    kept = OBJECTIVE.floor(examples([1, 2, 6]))
    assert OBJECTIVE.from_floor(kept, 2)["mean"].tolist() == [[3.0], [3.0]]


def test_probabilities_are_refused_in_words():
    with pytest.raises(InputError, match="no probabilities"):
        OBJECTIVE.table(Values(np.zeros(1), "price"))
