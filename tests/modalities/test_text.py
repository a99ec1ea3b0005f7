"""What is special about rows of texts."""

from __future__ import annotations

from supertune import registry

TEXT = registry.modality("text")


def test_tokens_are_counted_up_to_the_longest_that_is_read() -> None:
    long, short = "word " * 1000, "word"
    assert TEXT.lengths([long, long], None, 256) == (256, 256)
    assert TEXT.lengths([short], None, 256)[0] < 10
    assert TEXT.lengths([("word " * 100, "word " * 100)], None, 999)[0] > 150
    assert TEXT.lengths([], None, 256) == ()


def test_case_and_blanks_make_no_other_row() -> None:
    assert TEXT.same("Fine  film\n") == TEXT.same("fine film")
    assert TEXT.same(("a", "b")) != TEXT.same("a b")


def test_a_pair_is_blank_when_both_texts_are() -> None:
    assert TEXT.blank((" ", ""))
    assert not TEXT.blank((" ", "x"))


def test_backbones_follow_the_language() -> None:
    french = ["Le film est très bon et la fin est belle", "Je ne suis pas content du livre"] * 3
    assert TEXT.backbones(["The film is good and it was fun", "This is not for you"] * 3) == (
        "minilm",
        "e5-small",
    )
    assert TEXT.language(french) == "fr"
    assert TEXT.backbones(french) == ("e5-small",)
