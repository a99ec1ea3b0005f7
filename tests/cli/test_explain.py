"""``supertune explain``: words, rows, and what would change an answer."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Files, Run

import supertune as product

TEXT = "a moving and brilliant film, but the ending is a dull mess"


def test_marks_and_reasons_are_readable_without_colour(supertune: Run, words: Path) -> None:
    done = supertune("explain", words, TEXT, "--no-color")
    assert (done.code, done.err) == (0, "")
    assert "[+" in done.out
    assert "speak for it" in done.out
    assert "Labelled rows most like it" in done.out
    assert "at random" in done.out
    assert "\x1b" not in done.out


def test_json_is_what_python_gives(supertune: Run, probe: Path) -> None:
    done = supertune("explain", probe, TEXT, "无聊", "--way", "token_states", "--json")
    first, second = done.answer["explanations"]
    assert first == product.load(probe).explain(TEXT, way="token_states").as_dict()
    assert first["way"] == "token_states"
    assert [word["text"] for word in second["words"]] == ["无", "聊"]
    assert done.answer["next"]


def test_no_rows_names_no_rows(supertune: Run, probe: Path, reviews: Files) -> None:
    found = supertune("explain", probe, TEXT, "--no-rows", "--json")
    assert found.answer["explanations"][0]["nearest"] == []
    assert not any(text in found.out for text in reviews.texts)


def test_a_way_that_is_not_there_is_a_mistake_to_mend(supertune: Run, words: Path) -> None:
    done = supertune("explain", words, TEXT, "--way", "shap", "--json")
    assert (done.code, done.error["code"]) == (2, "unknown_way")
    assert done.error["allowed"] == "terms, occlusion"
