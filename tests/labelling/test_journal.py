"""Answers that survive whatever kills the process."""

from __future__ import annotations

from pathlib import Path

import pytest

from supertune.errors import EnvironmentFault, InputError
from supertune.labelling import journal
from supertune.labelling.journal import Answer


def answer(number: int, label: str | None = "yes") -> Answer:
    return Answer(f"key{number}", label, number, {"text": f"text\n{number} ü"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pool-labels.jsonl"


def test_answers_come_back_as_they_were_given(path: Path) -> None:
    with journal.opened(path) as opened:
        for number in range(3):
            opened.add(answer(number))
        opened.add(answer(3, None))
    assert journal.read(path).answers == (*map(answer, range(3)), answer(3, None))
    assert journal.read(path).labelled == tuple(map(answer, range(3)))


def test_undo_takes_back_the_latest_also_of_an_earlier_session(path: Path) -> None:
    with journal.opened(path) as opened:
        opened.add(answer(1))
        opened.add(answer(2))
        assert opened.undo() == answer(2)
    with journal.opened(path) as opened:
        assert opened.undo() == answer(1)
        assert opened.undo() is None
        opened.add(answer(3))
    assert journal.read(path).answers == (answer(3),)


def test_cut_anywhere_every_whole_answer_is_there_and_it_can_be_gone_on_with(path: Path) -> None:
    with journal.opened(path) as opened:
        for number in range(3):
            opened.add(answer(number))
    content = path.read_bytes()
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        whole = max(0, content[:length].count(b"\n") - 1)
        with journal.opened(path) as opened:
            assert opened.answers == tuple(map(answer, range(whole)))
            opened.add(answer(9))
        assert journal.read(path).answers == (*map(answer, range(whole)), answer(9))


@pytest.mark.parametrize(
    "content",
    ["text,label\ngood,yes\n", "something", '{"format": "other"}\n', "[1]\n", "null\n",
     '{"format": "supertune labels 1"}\n{"do": "undo", "key": "a"}\n',
     '{"format": "supertune labels 1"}\n{"do": "label", "key": 1, "row": 1, "cells": {}}\n',
     '{"format": "supertune labels 1"}\nhalf\n'],
)  # fmt: skip
def test_a_file_of_something_else_is_refused_and_left_alone(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(InputError) as refused, journal.opened(path):
        pass
    assert refused.value.code == "not_a_journal"
    assert path.read_text() == content


def test_one_process_at_a_time(path: Path) -> None:
    with journal.opened(path):
        with pytest.raises(EnvironmentFault) as refused, journal.opened(path):
            pass
        assert refused.value.code == "labels_busy"
    with journal.opened(path):
        assert [each.name for each in path.parent.glob(".*.lock")]
    assert not list(path.parent.glob(".*"))


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused, journal.opened(tmp_path / "nowhere" / "x.jsonl"):
        pass
    assert refused.value.code == "output_folder_missing"
