"""What stays as it is in a translation: found, shown as words, put back."""

from __future__ import annotations

import pytest

from supertune import placeholders


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Copied %d of %(total)s files to {folder}", {"%d": 1, "%(total)s": 1, "{folder}": 1}),
        ("Use <b>Save</b> &amp; go", {"<b>": 1, "</b>": 1, "&amp;": 1}),
        ("50% of all, 3 < 4 > 2, a & b", {}),
        ("%1$s and %2$s, ${name}", {"%1$s": 1, "%2$s": 1, "${name}": 1}),
    ],
)
def test_placeholders_are_told_from_text(text: str, found: dict[str, int]) -> None:
    assert dict(placeholders.of(text)) == found


@pytest.mark.parametrize(
    "text", ["Use the <b>Save</b> button.", "%s: {n} files", "plain", "{a}{b}"]
)
def test_a_masked_text_comes_back_as_it_was(text: str) -> None:
    one = placeholders.masked(text)
    assert one.back(one.text) == text
    assert not placeholders.of(one.text)


def test_a_translation_that_lost_a_word_is_refused() -> None:
    one = placeholders.masked("Use the <b>Save</b> button.")
    assert one.back("Use o botão XX1 Salvar.") is None
    assert one.back("Use o botão XX1 Salvar XX2 XX2.") is None
    assert one.back("Use o botão XX1 Salvar XX2.") == "Use o botão <b>Salvar</b>."


def test_pairs_show_the_same_words_on_both_sides_or_none() -> None:
    pairs = placeholders.shown(["%d of {total} files", "%d files"], ["{total}: %d", "arquivos"])
    assert pairs == [("XX1 of XX2 files", "XX2: XX1"), ("%d files", "arquivos")]


def test_a_text_that_has_such_words_itself_gets_others() -> None:
    assert placeholders.masked("XX1 is not %s").words == ("WX1",)
