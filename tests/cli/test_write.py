"""Answers in writing from the command line, on a tiny random model: several of each, and files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.conftest import Run
from tests.tiny_writers import save_tiny_writer

import supertune as tune
from supertune.api import resuming
from supertune.errors import InputError

ROWS = [{"input": f"text {i}", "output": ("sport", "news")[i % 2]} for i in range(6)]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writer")
    backbone = save_tiny_writer(folder / "tiny-random-writer")
    tune.fit(ROWS, output=folder / "model", task="text_generation", backbone=str(backbone),
             method="in_context", shots=1, folds=2, repeats=1, advice=False, threads=1)  # fmt: skip
    return folder / "model"


def test_several_answers_are_told_from_the_likeliest_on(fitted: Path, supertune: Run) -> None:
    done = supertune("write", str(fitted), "a text", "--n-best", "3", "--threads", "1", "--json")
    assert done.code == 0, done.err
    (told,) = json.loads(done.out)["answers"]
    assert len(told["others"]) == 2
    sureties = [told["surety"], *(one["surety"] for one in told["others"])]
    assert sureties == sorted(sureties, reverse=True)
    assert len({told["completion"], *(one["completion"] for one in told["others"])}) == 3
    plain = supertune("write", str(fitted), "a text", "--beams", "2", "--n-best", "2")
    assert "  or: " in plain.out


def test_a_file_is_gone_on_with_where_it_stopped(fitted: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "requests.txt", tmp_path / "out.jsonl"
    source.write_text("".join(f"text {i}\n" for i in range(40)), encoding="utf-8")
    seen: list[int] = []

    def stop(_: str, done: int, __: int | None) -> None:
        seen.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune.write(fitted, source, output=output, threads=1, max_new_tokens=3, progress=stop)
    part = resuming.part_of(output)
    kept = part.read_text("utf-8").splitlines(keepends=True)
    part.write_text("".join(kept[:20]) + kept[20][:9], encoding="utf-8")
    (told,) = tune.write(fitted, source, output=output, threads=1, max_new_tokens=3)
    assert (seen, told["rows"]) == ([32], 40)
    made = output.read_text("utf-8").splitlines(keepends=True)
    assert made[:32] == kept[1:]
    assert [json.loads(line)["request"] for line in made] == [f"text {i}" for i in range(40)]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"n_best": 2}, "bad_option"),
        ({"beams": 2, "temperature": 0.5}, "bad_option"),
        ({"beam": 2}, "bad_option"),
        ({"output": "answers.docx"}, "unknown_format"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(fitted: Path, asked: dict, code: str) -> None:
    with pytest.raises(InputError) as caught:
        tune.write(fitted, ["a text"], threads=1, **asked)
    assert caught.value.code == code
    assert caught.value.next
