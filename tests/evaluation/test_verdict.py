import pytest

from supertune.evaluation.intervals import Estimate
from supertune.evaluation.verdict import verdict


def estimate(value, low, high, metric="accuracy", rows=24):
    return Estimate(metric, value, low, high, "how", rows)


BASELINE = estimate(0.71, 0.5, 0.86)


def test_an_interval_around_zero_cannot_tell():
    found = verdict(BASELINE, estimate(0.04, -0.06, 0.13))
    assert found.answer == "cannot_tell"
    assert found.text == (
        "Better than the free baseline (bag_of_words .71): cannot tell with 24 rows; "
        "the difference is +4 points, between -6 and +13."
    )


@pytest.mark.parametrize(
    ("gap", "larger", "answer"),
    [
        ((0.1, 0.02, 0.2), True, "yes"),
        ((-0.1, -0.2, -0.02), True, "no"),
        ((-0.1, -0.2, 0.0), True, "no"),
        ((0.1, 0.0, 0.2), True, "cannot_tell"),
        ((-0.1, -0.2, -0.02), False, "yes"),
        ((0.1, 0.02, 0.2), False, "no"),
        ((0.1, -0.02, 0.2), False, "cannot_tell"),
    ],
)
def test_the_answer_follows_the_side_of_zero_the_whole_interval_is_on(gap, larger, answer):
    assert verdict(BASELINE, estimate(*gap), larger=larger).answer == answer


def test_a_loss_is_told_in_its_own_units():
    found = verdict(
        estimate(0.812, 0.7, 0.9, "log_loss"),
        estimate(-0.123, -0.2, -0.05, "log_loss"),
        larger=False,
    )
    assert found.text == (
        "Better than the free baseline (bag_of_words log_loss 0.812): yes with 24 rows; "
        "the difference is -0.123 in log_loss, between -0.2 and -0.05 (less is better)."
    )


def test_a_bound_just_above_zero_is_not_printed_as_zero():
    text = verdict(BASELINE, estimate(0.01, 0.004, 0.03, rows=4000)).text
    assert "the difference is +1 point, between +0.4 and +3." in text


def test_the_baseline_itself_is_not_better_than_itself():
    found = verdict(BASELINE, None)
    assert found.answer == "no"
    assert "bag_of_words .71" in found.text
    assert found.as_dict()["difference"] is None


def test_the_dictionary_is_what_the_report_holds():
    found = verdict(
        BASELINE, estimate(0.04, -0.06, 0.13), name="majority", kind="the majority class"
    )
    assert "the majority class (majority .71)" in found.text
    assert found.as_dict()["difference"]["low"] == -0.06
