"""Conversations, instructions and columns as rows, and what is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from supertune.contracts import Columns
from supertune.contracts.completion import said, turns_of
from supertune.errors import InputError
from supertune.tasks.text_generation import TASK

YOU = {"role": "user", "content": "How much?"}
ME = {"role": "assistant", "content": "Two."}


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    return path


def chats(path: Path, *conversations: Any) -> Path:
    return lines(path, [{"messages": one} for one in conversations])


def test_a_conversation_of_several_turns_is_a_row_an_answer(tmp_path: Path) -> None:
    first = [
        {"role": "system", "content": "Be short."},
        YOU,
        ME,
        {"role": "user", "content": "And then?"},
        {"role": "assistant", "content": "Three."},
    ]
    other = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    found = TASK.read(chats(tmp_path / "a.jsonl", first, other), Columns()).train
    assert found.targets is not None
    assert sorted(found.targets.tolist()) == ["So.", "Three.", "Two."]
    by = dict(zip(found.targets.tolist(), found.inputs, strict=True))
    assert by["So."] == "Why?"
    assert [role for role, _ in turns_of(str(by["Three."]))] == [
        "system", "user", "assistant", "user",
    ]  # fmt: skip
    groups = dict(zip(found.targets.tolist(), found.groups.tolist(), strict=True))
    assert groups["Two."] == groups["Three."] != groups["So."]


def test_an_instruction_stands_before_its_input(tmp_path: Path) -> None:
    rows = [{"instruction": "Add.", "input": "1 2", "output": "3"},
            {"instruction": "Say hello.", "input": "", "output": "hello"}]  # fmt: skip
    found = TASK.read(lines(tmp_path / "a.jsonl", rows), Columns()).train
    assert sorted(map(str, found.inputs)) == ["Add.\n\n1 2", "Say hello."]


def test_columns_are_found_or_named_and_turns_survive(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("question,answer\nwho,me\nwhat,that\n", "utf-8")
    found = TASK.read(path, Columns()).train
    assert found.targets is not None
    assert sorted(found.targets.tolist()) == ["me", "that"]
    turns = (("system", "x"), ("user", "y"))
    assert turns_of(said(turns)) == turns
    assert turns_of('[{"role": broken') == (("user", '[{"role": broken'),)


def test_rows_to_be_answered_need_no_answer(tmp_path: Path) -> None:
    path = chats(tmp_path / "a.jsonl", [YOU], [YOU, ME, YOU])
    ((_, inputs),) = TASK.stream(path, Columns(), 10)
    assert inputs[0] == "How much?"


@pytest.mark.parametrize(
    ("conversation", "code"),
    [
        ({"role": "user"}, "messages_not_a_list"),
        ([], "no_messages"),
        ([YOU, "Two."], "message_not_an_object"),
        ([{"content": "x"}, ME], "unknown_role"),
        ([{"role": "robot", "content": "x"}, ME], "unknown_role"),
        ([{"role": "user"}, ME], "message_without_text"),
        ([{"role": "user", "content": "  "}, ME], "message_without_text"),
        ([{"role": "user", "content": [{"type": "image_url"}]}, ME], "message_without_text"),
        ([YOU, ME, {"role": "system", "content": "x"}], "system_not_first"),
        ([ME], "nothing_asked"),
        ([{"role": "system", "content": "x"}, ME], "nothing_asked"),
    ],
)
def test_a_bad_conversation_is_refused_by_its_row(
    tmp_path: Path, conversation: Any, code: str
) -> None:
    with pytest.raises(InputError) as refused:
        TASK.read(chats(tmp_path / "a.jsonl", [YOU, ME], conversation), Columns())
    assert refused.value.code == code
    assert "row 2" in str(refused.value.received)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([{"messages": [YOU]}], "no_pairs"),
        ([{"input": "a", "size": 3, "b": 4}], "no_target_column"),
        ([{"output": "a", "size": 3, "b": 4}], "no_source_column"),
        ([{"input": "a", "output": 4}], "bad_text"),
        ([{"instruction": ["a"], "input": "b", "output": "c"}], "bad_text"),
        ([{"input": "", "output": "c"}], "no_pairs"),
    ],
)
def test_bad_columns_are_refused(tmp_path: Path, rows: list[Any], code: str) -> None:
    with pytest.raises(InputError) as refused:
        TASK.read(lines(tmp_path / "a.jsonl", rows), Columns())
    assert refused.value.code == code


def test_what_should_be_looked_at_is_said(tmp_path: Path) -> None:
    rows = [{"input": f"t {i}", "output": json.dumps({"a": str(i)})} for i in range(8)]
    rows += [{"input": "t 8", "output": "plain"}, {"input": "t 9", "output": '{"b": 1}'},
             {"input": "t 9", "output": '{"a": "1"}'}]  # fmt: skip
    found = TASK.read(lines(tmp_path / "a.jsonl", rows), Columns()).findings
    assert {"broken_json", "other_fields", "several_answers"} <= {one.code for one in found}
