"""Texts of a field: how they are read, and which of them would flatter a score."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.data.sounds.conftest import encoded, melody

from supertune import registry
from supertune.api import domain_texts
from supertune.config import Recipe
from supertune.contracts import Columns, Recording
from supertune.errors import InputError


def test_lines_are_read_once_each_without_blanks(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\ufeffPress  pound.\n\nPress star.\nPress pound.\n", "utf-8")
    assert domain_texts.read([tmp_path / "a.txt"]) == ("Press pound.", "Press star.")


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "file_missing"), (b"\xff\xfe\xff", "text_unreadable"), (b" \n", "no_domain_text")],
)
def test_what_holds_no_texts_is_refused(tmp_path: Path, content: bytes | None, code: str) -> None:
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError) as caught:
        domain_texts.read([tmp_path / "a.txt"])
    assert caught.value.code == code


def test_texts_that_a_row_says_are_left_out_and_that_is_told() -> None:
    said = ("a", "b", "c d")
    rows = [(Recording.of(encoded(melody(i, 1.0)), f"{i}.wav"), t) for i, t in enumerate(said)]
    reading = registry.task("speech_to_text").read(rows[:2], Columns(), test=rows[2:])
    given = ("A.", "C, d!", "c", "d e")
    told, after = domain_texts.apart(Recipe(domain_text=given), reading)
    assert told.domain_text == ("c", "d e")
    assert after.findings[-1].code == "domain_text_repeats"
    assert domain_texts.apart(Recipe(), reading) == (Recipe(), reading)
    with pytest.raises(InputError) as caught:
        domain_texts.apart(Recipe(domain_text=("a" * (domain_texts.MOST + 1),)), reading)
    assert caught.value.code == "domain_text_too_long"
