"""``supertune cache`` shows what is kept and clears it, asking first."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from supertune.catalogue.placing import put
from supertune.training.cache import ActivationCache

PARTS = ("activations", "models", "data", "packages")


@pytest.fixture
def kept(empty_cache: Path) -> Path:
    """A cache with something small in every part."""

    def fill(folder: Path) -> dict[str, str]:
        (folder / "a.bin").write_bytes(bytes(5000))
        return {"name": folder.name}

    for part, name in (("models", "small"), ("data", "rows")):
        (empty_cache / part).mkdir(parents=True)
        put(empty_cache / part / name, fill)
    (empty_cache / "packages").mkdir()
    (empty_cache / "packages" / "small-1.0.whl").write_bytes(bytes(700))
    (empty_cache / "packages" / "half-1.0.whl.part").write_bytes(bytes(300))
    (empty_cache / "packages" / "small-1.0.whl.lock").write_bytes(b"")
    with ActivationCache(empty_cache / "activations") as store:
        store.put({"a": np.ones(50_000, dtype=np.float32)})
    return empty_cache


@pytest.mark.parametrize("command", [["cache"], ["cache", "show"]])
def test_an_empty_machine_has_an_empty_cache(supertune, empty_cache: Path, command) -> None:
    done = supertune(*command, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.answer["folder"] == str(empty_cache)
    assert done.answer["bytes"] == 0
    assert done.answer["free_bytes"] > 0
    for part in PARTS:
        assert done.answer[part]["bytes"] == 0
        assert done.answer[part]["items"] == []
    assert done.answer["next"] == ["supertune doctor"]


def test_show_gives_the_bytes_of_each_part(supertune, kept: Path) -> None:
    answer = supertune("cache", "--json").answer
    assert answer["packages"]["bytes"] == 1000
    names = [item["name"] for item in answer["packages"]["items"]]
    assert names == ["half-1.0.whl.part", "small-1.0.whl"]
    assert 5000 < answer["models"]["bytes"] < 6000
    assert answer["activations"]["entries"] == 1
    assert answer["activations"]["bytes"] > 200_000
    assert answer["bytes"] == sum(answer[part]["bytes"] for part in PARTS)
    shown = supertune("cache").out
    assert "1.0\u00a0kB" in shown
    assert "Next\n  supertune cache clear packages" in shown


@pytest.mark.parametrize("part", PARTS)
def test_clear_frees_one_part_and_leaves_the_others(supertune, kept: Path, part: str) -> None:
    before = supertune("cache", "--json").answer
    done = supertune("cache", "clear", part, "--yes", "--json")
    assert done.code == 0
    assert list(done.answer["freed"]) == [part]
    assert done.answer["bytes"] > 900
    after = supertune("cache", "--json").answer
    assert after[part]["bytes"] < before[part]["bytes"] / 2
    for other in set(PARTS) - {part}:
        assert after[other]["items"] == before[other]["items"]
    if part == "activations":
        assert after[part]["entries"] == 0


def test_clear_all_leaves_the_cache_usable(supertune, kept: Path) -> None:
    assert supertune("cache", "clear", "all", "-y", "--json").code == 0
    answer = supertune("cache", "--json").answer
    assert [answer[part]["items"] for part in PARTS[1:]] == [[], [], []]
    with ActivationCache(kept / "activations") as store:
        store.put({"b": np.ones(3, dtype=np.float32)})
        assert store.stats()["entries"] == 1


def test_what_a_link_points_to_is_not_ours_to_delete(supertune, kept: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious.bin").write_bytes(b"precious")
    (kept / "models" / "linked").symlink_to(mine, target_is_directory=True)
    assert supertune("cache", "clear", "models", "--yes").code == 0
    assert (mine / "precious.bin").read_bytes() == b"precious"
    assert not (kept / "models" / "linked").is_symlink()


@pytest.mark.parametrize("more", [["--json"], []])
def test_nothing_is_deleted_without_a_yes(supertune, kept: Path, more: list[str]) -> None:
    done = supertune("cache", "clear", "models", *more)
    assert done.code == 2
    assert "not_confirmed" in done.out + done.err
    assert "--yes" in done.out + done.err
    assert (kept / "models" / "small" / "a.bin").exists()


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "gone"), [("y", True), ("yes", True), ("", False), ("n", False)]
)
def test_a_person_is_asked(
    supertune, kept: Path, monkeypatch: pytest.MonkeyPatch, answer: str, gone: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard(f"{answer}\n"))
    done = supertune("cache", "clear", "models")
    assert "Delete models (5.1\u00a0kB)" in done.err
    assert done.code == (0 if gone else 2)
    assert (kept / "models" / "small").exists() is not gone


def test_a_part_that_does_not_exist_is_refused_with_those_that_do(supertune, kept: Path) -> None:
    done = supertune("cache", "clear", "everything", "--yes", "--json")
    assert (done.code, done.error["code"]) == (2, "bad_parameter")
    assert all(part in done.error["message"] for part in (*PARTS, "all"))


def test_a_damaged_activation_cache_can_be_cleared(supertune, kept: Path) -> None:
    file = next((kept / "activations").glob("*.sqlite3"))
    file.write_bytes(b"no database at all" * 100)
    assert supertune("cache", "clear", "activations", "--yes").code == 0
    assert supertune("cache", "--json").answer["activations"]["entries"] == 0
