"""Words for labels: in any script, several a label, and none that two labels share."""

from __future__ import annotations

from typing import Any

import pytest

from supertune.errors import InputError
from supertune.prompts.verbalizer import check, named, parsed

LABELS = ("bad", "good")


def test_words_come_in_the_order_of_the_labels_each_once() -> None:
    given = {"good": ["très bien", "bien", "Bien "], "bad": " mal"}
    assert check(given, LABELS) == ((" mal",), ("très bien", "bien"))


def test_words_may_have_any_script() -> None:
    given: dict[str, Any] = {"bad": ["差", "रद्दी"], "good": ["好", "ممتاز"]}
    assert check(given, LABELS) == (("差", "रद्दी"), ("好", "ممتاز"))


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"bad": "awful", "god": "fine"}, "unknown_label", "'good'"),
        ({"bad": "awful"}, "label_without_words", "nothing for good"),
        ({"bad": "awful", "good": []}, "label_without_words", "nothing for good"),
        ({"bad": "awful", "good": ""}, "empty_word", "'' for good"),
        ({"bad": ["awful", " \u3000"], "good": "fine"}, "empty_word", "for bad"),
        ({"bad": "so-so", "good": "so-so"}, "verbalizer_collides", "'so-so' for bad and for good"),
        ({"bad": "FINE", "good": " fine"}, "verbalizer_collides", "fine"),
        ({"bad": "ｆｉｎｅ", "good": "fine"}, "verbalizer_collides", "fine"),
        ({"bad": ["a", "b"], "good": ["c", "B"]}, "verbalizer_collides", "'B'"),
        ({"bad": "stra\u00dfe", "good": "STRASSE"}, "verbalizer_collides", "STRASSE"),
    ],
)
def test_words_that_cannot_tell_the_labels_apart_are_refused(
    given: dict[str, Any], code: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        check(given, LABELS)
    assert caught.value.code == code
    assert said in str(caught.value)
    assert caught.value.next


def test_a_label_can_stand_for_itself() -> None:
    assert named(("card_arrival", "sport")) == {"card_arrival": "card arrival", "sport": "sport"}


def test_the_short_form_and_json_say_the_same() -> None:
    short = parsed("positive=good, great; negative=bad;")
    assert short == {"positive": ["good", "great"], "negative": ["bad"]}
    assert parsed('{"positive": ["good", "a, b"], "x;y": "bad"}') == {
        "positive": ["good", "a, b"],
        "x;y": "bad",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no label"),
        ("positive", "label=word"),
        ("=good", "label=word"),
        ("a=x; a=y", "twice"),
        ('{"a": ', "no JSON"),
        ('{"a": 3}', "'a'"),
        ('{"a": ["x", 3]}', "'a'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_both_forms(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parsed(text)
    assert caught.value.code == "bad_verbalizer"
    assert said in str(caught.value)
    assert "positive=good" in str(caught.value.allowed)
