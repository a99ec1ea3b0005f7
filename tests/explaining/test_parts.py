"""Words of any script, and an input less some of them."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Contribution
from supertune.explaining.parts import columns, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's a well-made film!", ["It's", "a", "well-made", "film", "!"]),
        ("房间不干净,很吵", ["房", "间", "不", "干", "净", ",", "很", "吵"]),
        ("C'était déjà vu…", ["C'était", "déjà", "vu", "…"]),
        ("ไม่ดี", ["ไ", "ม่", "ดี"]),
        ("अच्छी फ़िल्म", ["अच्छी", "फ़िल्म"]),
        ("लगता है", ["लगता", "है"]),
        ("nice 👍🏽 x", ["nice", "👍🏽", "x"]),
        ("cafe\u0301 a_b", ["cafe\u0301", "a", "_", "b"]),
        ("  ", []),
        ("", []),
    ],
)
def test_words_and_signs_are_parts_and_blanks_are_none(text: str, expected: list[str]) -> None:
    parts = words(text)
    assert list(parts.names) == expected
    assert "".join(parts.names) == "".join(text.split())


def test_what_is_left_out_leaves_one_blank_and_nothing_else_changes() -> None:
    parts = words("a  fine, fine film\n")
    assert parts.without(()) == "a  fine, fine film\n"
    assert parts.without({1}) == "a , fine film"
    assert parts.only((3, 4)) == "fine film"
    assert parts.only(()) == ""


def test_the_fields_of_a_pair_stay_apart() -> None:
    parts = words(("one two", "two three"))
    assert parts.without({1, 3}) == ("one", "two")
    assert [span[0] for span in parts.spans] == [0, 0, 1, 1]


def test_more_words_than_the_bound_are_taken_together() -> None:
    text = " ".join(f"w{i}" for i in range(25))
    parts = words(text, most=10)
    assert len(parts) == 9
    assert parts.names[0] == "w0 w1 w2"
    assert "".join(parts.names).replace(" ", "") == text.replace(" ", "")


def test_shares_of_tokens_go_to_words_by_their_characters() -> None:
    parts = words("unhappy, ok")
    given = Contribution(
        ((0, 0, 2), (0, 2, 7), (0, 7, 8), (0, 6, 8), (0, 8, 9)),
        np.array([1.0, 2.0, 4.0, 6.0, 9.0]),
        0.5,
    )
    # "unhappy" has two tokens and half of one; the blank's share is no word's.
    assert parts.gathered(given).tolist() == [1 + 2 + 3, 4 + 3, 0]


def test_a_column_that_is_taken_away_becomes_its_reference() -> None:
    parts = columns((1.0, 2.0), ("a", "b"), (0.5, 0.25))
    assert parts.without({1}) == (1.0, 0.25)
    assert parts.only(()) == (0.5, 0.25)
