"""Texts in pieces: sentences, pauses, and what is no text."""

from __future__ import annotations

from itertools import pairwise

import pytest

from supertune.contracts import Utterance
from supertune.data.utterances import LONGEST, pieces
from supertune.errors import InputError


def test_sentences_are_parted_and_have_pauses_between_them() -> None:
    assert pieces("One. Two!  Three?\n\nFour", 0.25) == [
        Utterance("One.", 0.25),
        Utterance("Two!", 0.25),
        Utterance("Three?", 0.25),
        Utterance("Four", 0.0),
    ]


@pytest.mark.parametrize(
    "whole",
    [
        "Mr. Smith met Dr. Jones at 3.30 p.m. in J. Doe's house.",
        'She said "go away!" and left.',
        "It costs 3.50, or 3 < 4.",
        "a line\nthat is wrapped",
    ],
)
def test_an_abbreviation_or_a_small_letter_ends_nothing(whole: str) -> None:
    assert pieces(whole, 0.25) == [Utterance(whole.replace("\n", " "), 0.0)]


def test_chinese_sentences_end_without_a_blank() -> None:
    assert [one.text for one in pieces("你好。再见！", 0.1)] == ["你好。", "再见！"]


@pytest.mark.parametrize(
    ("tag", "seconds"),
    [
        ('<break time="500ms"/>', 0.5),
        ("<break time='1.5s' />", 1.5),
        ("<break/>", 0.5),
        ('<BREAK TIME="20 ms">', 0.02),
    ],
)
def test_a_break_is_a_pause(tag: str, seconds: float) -> None:
    assert pieces(f"One {tag} two.", 0.25) == [Utterance("One", seconds), Utterance("two.", 0.0)]


def test_a_break_at_the_beginning_is_silence_alone() -> None:
    assert pieces("<break/>Hello.", 0.25) == [Utterance("", 0.5), Utterance("Hello.", 0.0)]


def test_long_sentences_are_cut_and_nothing_is_lost() -> None:
    text = "word " * 200 + "x" * 1000
    found = pieces(text, 0.25)
    assert max(len(one.text) for one in found) <= LONGEST
    assert "".join(one.text for one in found).replace(" ", "") == text.replace(" ", "")
    assert all(one.pause == 0 for one, _ in pairwise(found))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "nothing_to_say"),
        (" ?! <break/>", "nothing_to_say"),
        ("a" * 100_001, "text_too_long"),
        ("One <emphasis>two</emphasis>", "unknown_tag"),
        ('One <break time="long"/> two', "bad_break"),
        ('One <break time="1.2.3s"/> two', "bad_break"),
        ('One <break time="100s"/> two', "bad_break"),
        (None, "bad_text"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        pieces(text, 0.25)
    assert caught.value.code == code
