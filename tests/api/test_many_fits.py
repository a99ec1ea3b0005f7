"""Many small tasks: one after another, and by real workers of Ray, one of which is killed."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

import supertune
from supertune.errors import InputError

SAID = ("It was the best of all on {} in {}", "good"), ("I was bored and left on {} in {}", "bad")
DAYS, TOWNS = ("Monday", "Friday", "Sunday", "Tuesday"), ("Rome", "Oslo", "Paris")
OPTIONS: dict[str, Any] = {
    "method": "linear_probe",
    "backbone": "minilm",
    "threads": 1,
    "advice": False,
    "repeats": 1,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("tasks")
    for town in TOWNS:
        rows = [f"{text.format(day, town)},{label}" for day in DAYS for text, label in SAID]
        (folder / f"{town}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (folder / "short.csv").write_text("text,label\nonly one,good\n")
    return sorted(folder.glob("*.csv"))


@pytest.fixture(scope="module")
def alone(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return supertune.fit_many(files, tmp_path_factory.mktemp("alone"), **OPTIONS)


def bytes_of(found: list[Any]) -> dict[str, dict[str, bytes]]:
    return {
        one.name: {path.name: path.read_bytes() for path in Path(one.folder).glob("*.safetensors")}
        for one in found
        if one.status != "refused"
    }


def test_each_task_has_a_folder_a_score_and_an_interval(alone: list[Any]) -> None:
    assert [one.name for one in alone] == ["Oslo", "Paris", "Rome", "short"]
    for one in alone[:3]:
        assert one.status == "fitted"
        assert one.score["low"] <= one.score["value"] <= one.score["high"]
        assert supertune.load(one.folder).method == "linear_probe"


def test_what_one_task_refuses_is_told_and_the_others_go_on(alone: list[Any]) -> None:
    assert alone[-1].status == "refused"
    assert alone[-1].error["next"]
    assert not Path(alone[-1].folder).exists()


def test_folders_that_are_there_are_left_as_they_are(alone: list[Any], files: list[Path]) -> None:
    before = bytes_of(alone)
    again = supertune.fit_many(files, Path(alone[0].folder).parent, **OPTIONS)
    assert [one.status for one in again] == ["there", "there", "there", "refused"]
    assert bytes_of(again) == before


def test_two_files_of_one_name_are_refused_before_anything_is_fitted(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        supertune.fit_many(["a/rows.csv", "b/rows.csv"], tmp_path)
    assert refused.value.code == "task_named_twice"
    with pytest.raises(InputError, match="nothing to fit"):
        supertune.fit_many([], tmp_path)


@pytest.mark.slow
def test_workers_of_ray_give_the_same_bytes_and_nothing_is_lost_with_one_of_them(
    files: list[Path], alone: list[Any], tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    killed: list[int] = []

    def kill() -> None:
        """The first worker that has begun on a task."""
        until = time.monotonic() + 120
        while not killed and time.monotonic() < until:
            for worker in psutil.Process().children(recursive=True):
                with_task = worker.is_running() and "ray::_one" in " ".join(worker.cmdline())
                if with_task:
                    worker.kill()
                    killed.append(worker.pid)
                    return
            time.sleep(0.05)

    murderer = threading.Thread(target=kill)
    murderer.start()
    found = supertune.fit_many(files, tmp_path / "models", ray="local", workers=2, **OPTIONS)
    murderer.join()
    assert killed, "no worker was seen at work"
    assert [one.status for one in found] == [one.status for one in alone]
    assert bytes_of(found) == bytes_of(alone)
