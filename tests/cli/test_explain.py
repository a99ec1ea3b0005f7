"""``supertune explain``: words, rows, and what would change an answer."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from tests.conftest import Files, Run

import supertune as product
from supertune.cli import explain
from supertune.cli.terminal import Terminal

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
    assert [word["text"] for word in second["parts"]] == ["无", "聊"]
    assert done.answer["next"]


def test_no_rows_names_no_rows(supertune: Run, probe: Path, reviews: Files) -> None:
    found = supertune("explain", probe, TEXT, "--no-rows", "--json")
    assert found.answer["explanations"][0]["nearest"] == []
    assert not any(text in found.out for text in reviews.texts)


def test_a_way_that_is_not_there_is_a_mistake_to_mend(supertune: Run, words: Path) -> None:
    done = supertune("explain", words, TEXT, "--way", "shap", "--json")
    assert (done.code, done.error["code"]) == (2, "unknown_way")
    assert done.error["allowed"] == "terms, occlusion"


class Window(io.StringIO):
    """A terminal's stream."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_colour_and_keeps_every_character(
    words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    found = product.load(words).explain(TEXT)
    stream = Window()
    explain.show(Terminal(stdout=stream), found)
    shown = stream.getvalue()
    assert "\x1b[1;37;42m" in shown  # white on green
    plain = re.sub("\x1b\\[[0-9;]*m", "", shown)
    assert TEXT in plain
    assert "[+" not in plain
