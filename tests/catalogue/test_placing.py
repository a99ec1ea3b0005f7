"""A folder of the cache is there whole, or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from supertune.catalogue.places import cache_folder, room
from supertune.catalogue.placing import ORIGIN, alone, origin, put
from supertune.errors import EnvironmentFault


def filled(partial: Path) -> dict[str, Any]:
    (partial / "inner").mkdir()
    (partial / "inner" / "a.bin").write_bytes(b"abc")
    (partial / "b.txt").write_text("text")
    (partial / "b.txt").chmod(0o600)
    return {"name": "folder"}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_put_with_a_note_of_what_it_holds(tmp_path: Path) -> None:
    put(tmp_path / "folder", filled)
    assert names(tmp_path) == ["folder"]
    noted = origin(tmp_path / "folder")
    assert noted == {"name": "folder", "files": {"b.txt": 4, "inner/a.bin": 3}}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_others_can_read_what_one_user_has_fetched(tmp_path: Path) -> None:
    put(tmp_path / "folder", filled)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "folder").glob("*.*")}
    assert modes == {(tmp_path / "folder" / ORIGIN).stat().st_mode & 0o777}


def test_a_damaged_folder_is_replaced(tmp_path: Path) -> None:
    put(tmp_path / "folder", filled)
    (tmp_path / "folder" / "b.txt").write_text("cut")
    assert origin(tmp_path / "folder") is None
    put(tmp_path / "folder", filled)
    assert origin(tmp_path / "folder") is not None
    assert names(tmp_path) == ["folder"]


@pytest.mark.parametrize(
    "note", ["", "{}", "[]", '{"files": 3}', '{"files": {"a": 1}}'], ids=range(5)
)
def test_a_note_that_makes_no_sense_counts_as_damage(tmp_path: Path, note: str) -> None:
    (tmp_path / ORIGIN).write_text(note)
    assert origin(tmp_path) is None


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path / "folder", filled)

    def failing(partial: Path) -> dict[str, Any]:
        (partial / "half.txt").write_text("half")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        put(tmp_path / "folder", failing)
    assert names(tmp_path) == ["folder"]
    assert origin(tmp_path / "folder") is not None


def test_what_a_killed_process_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".folder.4711.part").mkdir()
    (tmp_path / ".folder.4711.part" / "half.txt").write_text("half")
    (tmp_path / ".other.4711.part").mkdir()
    put(tmp_path / "folder", filled)
    assert names(tmp_path) == [".other.4711.part", "folder"], "others may still be at work"


def test_a_full_disk_is_called_so(tmp_path: Path) -> None:
    def full(partial: Path) -> dict[str, Any]:
        raise OSError(28, "No space left on device")

    with pytest.raises(EnvironmentFault) as caught:
        put(tmp_path / "folder", full)
    assert caught.value.code == "no_space"
    assert "supertune cache" in str(caught.value.next)
    assert names(tmp_path) == []


def test_one_waits_for_the_other_and_says_so(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from supertune.catalogue.placing import alone\n"
        "with alone(Path(sys.argv[1])):\n    print('mine', flush=True); time.sleep(30)"
    )
    place, told = tmp_path / "folder", []
    with subprocess.Popen(
        [sys.executable, "-c", code, str(place)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        timer = threading.Timer(0.8, other.kill)  # one that dies lets go
        timer.start()
        started = time.monotonic()
        with alone(place, lambda stage, *_: told.append(stage)):
            waited = time.monotonic() - started
        timer.join()
    assert 0.5 < waited < 10
    assert told == ["wait for another process that fetches folder"]


def test_the_cache_follows_the_platform_and_a_variable_moves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import platformdirs

    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path / "moved"))
    assert cache_folder() == tmp_path / "moved"
    assert room("models") == tmp_path / "moved" / "models"
    assert room("models").is_dir()
    monkeypatch.delenv("SUPERTUNE_CACHE")
    assert cache_folder() == platformdirs.user_cache_path("supertune", appauthor=False)


def test_a_cache_that_cannot_be_made_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SUPERTUNE_CACHE", str(tmp_path / "file"))
    with pytest.raises(EnvironmentFault, match="SUPERTUNE_CACHE") as caught:
        room("models")
    assert caught.value.code == "cache_unwritable"
    assert caught.value.exit_code == 2
