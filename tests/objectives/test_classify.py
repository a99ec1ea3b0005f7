"""How undecided answers are."""

from __future__ import annotations

import numpy as np

from supertune.contracts import HeadSpec
from supertune.objectives import classify, regress


def test_doubt_is_what_is_left_of_one_by_the_margin() -> None:
    answers = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.6, 0.3, 0.1]])
    assert np.allclose(classify.OBJECTIVE.doubt(answers, HeadSpec(3)), [0.0, 1.0, 0.7])


def test_of_several_labels_the_least_decided_one_counts() -> None:
    answers = np.array([[1.0, 0.0], [0.5, 1.0], [0.9, 0.8]])
    found = classify.OBJECTIVE.doubt(answers, HeadSpec(2, multi_label=True))
    assert np.allclose(found, [0.0, 1.0, 0.4])


def test_values_do_not_say_how_far_off_they_are() -> None:
    assert regress.OBJECTIVE.doubt(np.zeros((4, 1)), HeadSpec(1, valued=True)).tolist() == [1.0] * 4


def test_of_labels_the_surest_is_taken_and_of_values_the_simplest_that_is_hardly_worse() -> None:
    assert (classify.OBJECTIVE.tolerance, classify.OBJECTIVE.decider) == (2.0, "log_loss")
    assert (regress.OBJECTIVE.tolerance, regress.OBJECTIVE.decider) == (1.0, None)
