"""What is drawn of a row, whatever the window and the text."""

from __future__ import annotations

import io
import string
from typing import Any

import pytest

from supertune.cli import label_screen
from supertune.cli.label_screen import Screen
from supertune.cli.terminal import Terminal
from supertune.errors import InputError
from supertune.labelling.proposing import Proposal


def row(text: Any, why: str = "many rows are like it") -> Proposal:
    return Proposal(1, text, (why,), None, None, {"text": text}, "key")


def drawn(text: Any, labels: list[str], width: int, height: int, **keys: Any) -> list[str]:
    screen = Screen(Terminal(stdout=io.StringIO()), label_screen.keys_of(labels), 10, **keys)
    lines = screen.lines(row(text), 3, width, height)
    assert len(lines) <= height
    assert max(line.cell_len for line in lines) <= width
    return [line.plain for line in lines]


@pytest.mark.parametrize("size", [(20, 8), (39, 11), (79, 23), (200, 60)])
@pytest.mark.parametrize("count", [2, 9, 20, 50])
@pytest.mark.parametrize(
    "text", ["", "short", "a word " * 5000, "x" * 4000, "一些中文文字" * 500, ("one", "two")]
)
def test_it_fits_any_window(size: tuple[int, int], count: int, text: Any) -> None:
    labels = [f"label number {i}" for i in range(count)]
    lines = drawn(text, labels, *size)
    assert any(line.startswith("u undo") for line in lines)
    assert lines[0].startswith("1 of 10") or size[1] < 10


def test_a_long_text_is_read_page_by_page() -> None:
    text = " ".join(f"word{i}" for i in range(300))
    seen: set[str] = set()
    for page in range(200):
        lines = drawn(text, ["a", "b"], 39, 11, page=page)
        seen |= set(" ".join(lines).split())
        if not any("characters more" in line for line in lines):
            break
    assert page > 2
    assert {f"word{i}" for i in range(300)} <= seen


def test_all_labels_can_be_seen_where_they_do_not_fit() -> None:
    labels = [f"quite a long label {letter}" for letter in string.ascii_lowercase]
    short = drawn("text", labels, 39, 11)
    assert any("? shows all" in line for line in short)
    whole = " ".join(drawn("text", labels, 80, 30, all_labels=True))
    assert all(label in whole for label in labels)


def test_each_label_has_a_key_that_does_nothing_else() -> None:
    labels = [f"l{i}" for i in range(len(label_screen.KEYS))]
    keys = label_screen.keys_of(labels)
    assert list(keys)[:11] == [*"1234567890", "a"]
    assert set(keys.values()) == set(labels)
    assert not set(keys) & {"u", "s", "q", "m", "?", " "}
    with pytest.raises(InputError) as refused:
        label_screen.keys_of([*labels, "one more"])
    assert refused.value.code == "too_many_labels"


def test_a_text_cannot_steer_the_terminal() -> None:
    shown = label_screen.shown("a\x1b[2Jb\x07c\u202ed\r\ne\tf\x00\x9bg")
    assert shown == "a[2Jbcd\ne    fg"
