from __future__ import annotations

import pytest

from supertune.choose.levers import Advice, Lever
from supertune.evaluation.forecast import Forecast, Range, Step
from supertune.report import advice, html, summary

SOON = Range(150, 90, 400)


def forecast(flat=SOON, flat_now=False, rows=40):
    steps = tuple(
        Step(more, Range(more / 1250, more / 2500, more / 833), Range(0.8, 0.7, 0.9))
        for more in (10, 20, 50, 100)
    )
    return Forecast("accuracy", rows, Range(0.76, 0.7, 0.82), steps, flat, flat_now)


LABELS = Lever("labels", "50 more labels", Range(0.04, 0.02, 0.06), "a curve")
BACKBONE = Lever(
    "backbone", "e5-small instead of minilm", Range(0.06, -0.01, 0.13), "same folds",
    {"backbone": "e5-small"},
)  # fmt: skip


def made(*levers, **options):
    return advice.section(Advice(forecast(**options), levers or (LABELS,)), "accuracy")


def test_the_verdict_says_what_50_labels_bring_and_where_it_flattens():
    assert made()["verdict"] == (
        "What would help most here is more labels. "
        "About 50 more labels would bring +2 to +6 points; beyond about 150 rows it flattens."
    )
    assert "go on helping beyond 5,000 rows" in made(flat=None)["verdict"]
    assert "more labels bring little" in made(flat_now=True)["verdict"]


def test_a_lever_whose_range_spans_0_is_promising_and_not_certain():
    found = made(BACKBONE, LABELS)
    assert found["best"] == "backbone"
    assert found["verdict"].startswith(
        "What would help most here is another backbone: e5-small instead of minilm, "
        "−1.0 to +13 points; these 40 rows cannot tell for certain."
    )
    assert [one["tell"] for one in found["levers"]] == ["cannot_tell", "yes"]


@pytest.mark.parametrize(
    ("gain", "answer"),
    [
        (Range(0.05, 0.01, 0.1), "yes"),
        (Range(0.05, -0.01, 0.1), "cannot_tell"),
        (Range(0.001, -0.02, 0.009), "no"),
        (Range(0.005, 0.001, 0.02), "cannot_tell"),
        (None, "not_tried"),
    ],
)
def test_what_can_be_told_follows_from_the_range(gain, answer):
    assert advice.tell(gain, 1.0) == answer


def test_values_are_told_in_their_own_units():
    assert advice.span(Range(0.2, 0.1, 0.31), "mae") == "0.100 to 0.310 less MAE"
    assert advice.span(Range(0.2, -0.1, 0.31), "r2") == "−0.100 to 0.310 more R²"


def test_the_next_step_is_a_command(sample):
    sample["advice"] = made(BACKBONE, LABELS)
    assert advice.step(sample, "rows.csv") == (
        "Try another backbone: supertune fit rows.csv --backbone e5-small"
    )
    sample["advice"] = made(LABELS)
    assert advice.step(sample, "rows.csv") is None


def test_page_and_terminal_show_every_lever(sample):
    sample["advice"] = made(BACKBONE, LABELS)
    page, lines = html(sample), summary(sample)
    for text in (page, lines):
        assert "e5-small instead of minilm" in text
        assert "cannot tell" in text
        assert "beyond about 150 rows it flattens" in text
    assert 'href="#advice"' in page


def test_without_advice_nothing_is_shown_and_a_reason_is_told(sample):
    assert 'id="advice"' not in html(sample)
    sample["advice"] = advice.section(Advice(why="No time was left."), "accuracy")
    assert "No time was left." in summary(sample)
