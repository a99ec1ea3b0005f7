"""The template language: what it takes, what it refuses and where."""

from __future__ import annotations

import pytest

from supertune.errors import InputError
from supertune.prompts.template import (
    before_answer,
    check,
    filled,
    numbered,
    several,
    text_comes_first,
)


@pytest.mark.parametrize(
    ("template", "count"),
    [
        ("{text} It was {answer}.", 1),
        ("{answer}: {text}", 1),
        ("输入：{text} 输出：{answer}", 1),
        ("{{a}} {text} {text} {answer}", 1),
        ("{text2} and {text1}: {answer}", 2),
        ("{text3}{answer}", 3),
    ],
)
def test_a_template_that_shows_a_text_and_one_answer_is_taken_as_it_is(
    template: str, count: int
) -> None:
    assert check(template, count) == template


@pytest.mark.parametrize(
    ("template", "count", "code", "said"),
    [
        ("It was {answer}.", 1, "template_hides_text", "{text}"),
        ("{answer}", 2, "template_hides_text", "{text1} and {text2}, at least one"),
        ("{text} It was good.", 1, "template_without_answer", "{answer}"),
        ("", 1, "template_without_answer", "{answer}"),
        ("{{answer}} {text}", 1, "template_without_answer", "{{"),
        ("{answer} {text} {answer}", 1, "template_answers_twice", "characters 1, 17"),
        ("{txet} is {answer}", 1, "unknown_template_field", "mean {text}"),
        ("{text} is {anwser}", 1, "unknown_template_field", "mean {answer}"),
        ("{text} is {answer}", 2, "unknown_template_field", "character 1 "),
        ("{text1} {text3} {answer}", 2, "unknown_template_field", "character 9 "),
        ("{text} is {answer", 1, "bad_template", "character 11 "),
        ("{text} is answer}", 1, "bad_template", "character 17 "),
        ("{text} {{is} {answer}", 1, "bad_template", "character 12 "),
        ("{text {answer}", 1, "bad_template", "character 1 "),
        ("{text} {} {answer}", 1, "bad_template", "character 8 "),
        ("{text!r} {answer}", 1, "bad_template", "one name"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name_and_place(
    template: str, count: int, code: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        check(template, count)
    assert caught.value.code == code
    assert said in str(caught.value)
    assert caught.value.next


def test_a_causal_model_needs_the_text_before_the_answer() -> None:
    assert text_comes_first("A {text} is {answer}.")
    assert not text_comes_first("{answer}: {text}")


def test_columns_become_the_texts_of_a_row_by_their_place() -> None:
    assert numbered("{title}: {body} {answer}", (), 2) == "{text1}: {text2} {answer}"
    assert numbered("{title}: {body} {answer}", ("body", "title"), 2) == (
        "{text2}: {text1} {answer}"
    )
    assert numbered("{{x}} {the body} {answer}", ("title", "the body"), 2) == (
        "{{x}} {text2} {answer}"
    )
    assert numbered("{review} {answer}", (), 1) == "{text} {answer}"
    assert numbered("{text} {answer}", ("a", "b"), 1) == "{text} {answer}"
    assert numbered("{text2} {text1} {answer}", ("a", "b"), 2) == "{text2} {text1} {answer}"


def test_what_does_not_match_the_rows_is_left_to_be_refused() -> None:
    with pytest.raises(InputError) as caught:
        check(numbered("{text} {answer}", ("a", "b"), 2), 2)
    assert caught.value.code == "unknown_template_field"


def test_a_template_of_one_text_serves_rows_of_several() -> None:
    assert several("{text} So {answer}", 1) == "{text} So {answer}"
    assert several("{text} So {answer}", 2) == "{text1}\n{text2} So {answer}"


@pytest.mark.parametrize(
    ("template", "word", "whole"),
    [
        ("{text} It was {answer}.", "great", "Hm. It was great."),
        ("{text} It was {answer}.", " great", "Hm. It was great."),
        ("{text} It was{answer}.", " great", "Hm. It was great."),
        ("{{{text}}} 很{answer}", "好", "{Hm.} 很好"),
    ],
)
def test_a_row_with_its_answer_reads_as_one_text(template: str, word: str, whole: str) -> None:
    assert filled(template, "Hm.", word) == whole


def test_a_row_of_several_texts_is_filled_by_place_and_what_it_says_is_no_template() -> None:
    assert filled("{text2}|{text1}={answer}", ("{answer}", "b"), "c") == "b|{answer}=c"


def test_what_stands_right_before_the_answer_is_literal() -> None:
    assert before_answer("{{answer}} {text} is: {answer}") == " is: "
    assert before_answer("{answer} {text}") == ""
