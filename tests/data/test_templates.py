"""Names in braces: what a template names, and whether it asks."""

from __future__ import annotations

import pytest

from supertune.data.templates import Part, asks, escaped, fields, ordered, parts, shows_one
from supertune.errors import InputError


def test_a_template_comes_apart_into_literals_and_names() -> None:
    assert parts("{a}: {{b}} {the c}!") == (
        Part("", "a", 1),
        Part(": {b} ", "the c", 12),
        Part("!"),
    )
    assert parts("") == ()


def test_what_is_escaped_is_literal_again() -> None:
    assert parts(escaped("{x} }{")) == (Part("{x} }{"),)


def test_the_answer_is_no_column() -> None:
    assert fields("{a} {b} {a} {answer}") == ("a", "b")
    assert asks("{a} {answer}")
    assert not asks("{a} {{answer}}")
    assert not asks(None)


@pytest.mark.parametrize("template", ["{", "}", "{a", "a}", "{a{b}}", "{}", "{ }", "{a:>3}"])
def test_braces_that_do_not_match_are_refused_with_their_place(template: str) -> None:
    with pytest.raises(InputError, match="cannot be used") as caught:
        parts(template)
    assert caught.value.code == "bad_template"
    assert str(caught.value.received).startswith(f"character {2 if template == 'a}' else 1} of ")


def test_columns_of_a_prompt_have_one_order_whoever_asks() -> None:
    assert ordered("{b} {a} {answer}", ()) == ("b", "a")
    assert ordered("{b} {a} {answer}", ("a",)) == ("a", "b")
    assert ordered("{text} {answer}", ("review",)) == ("review",)
    assert ordered("{text2} {text1} {answer}", ()) == ("text1", "text2")


def test_a_prompt_of_one_text_does_not_care_how_many_columns_make_it() -> None:
    assert shows_one("{text} {answer}")
    assert shows_one("{answer}")
    assert not shows_one("{text1} {text2} {answer}")
    assert not shows_one("{review} {answer}")
