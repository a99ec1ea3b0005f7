"""A prompt that the method did not use is told, as is how a method asked."""

from __future__ import annotations

import pytest

import supertune

ROWS = [
    (f"{word} thing number {i}", label)
    for i in range(6)
    for word, label in (("lovely", "positive"), ("nasty", "negative"))
]
QUICK = {"folds": 2, "repeats": 1, "method": "bag_of_words", "backbone": "none"}


def codes(model):
    return [finding["code"] for finding in model.report.data["findings"]]


@pytest.mark.parametrize(
    "given",
    [
        {"template": "{text} It was {answer}"},
        {"verbalizer": {"positive": "good", "negative": "bad"}},
    ],
)
def test_a_prompt_for_a_method_that_does_not_ask_is_told(given):
    assert "prompt_not_used" in codes(supertune.fit(ROWS, **QUICK, **given))


def test_a_template_that_the_rows_are_written_in_was_not_given():
    rows = [f"Input: {text} Output: {label}" for text, label in ROWS]
    assert "prompt_not_used" not in codes(supertune.fit(rows, **QUICK))
