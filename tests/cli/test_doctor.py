"""``supertune doctor`` says what is wrong on a machine, and the remedy of each."""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import psutil
import pytest

from supertune.cli import machine
from supertune.cli.requirements import Requirement

NAMES = {"python", "packages", "cache", "disk", "activations", "models", "hub", "pip index"}
NAMES |= {"npm index", "memory", "torch"}


def checks(done: Any) -> dict[str, dict[str, str]]:
    return {each["name"]: each for each in done.answer["checks"]}


@pytest.mark.slow
def test_every_check_is_there_with_its_state_and_remedy(supertune, empty_cache: Path) -> None:
    done = supertune("doctor", "--json")
    assert done.code == 0, done.out
    assert done.err == ""
    found = checks(done)
    assert set(found) >= NAMES
    for each in found.values():
        assert set(each) == {"name", "status", "message", "remedy"}
        assert each["status"] in ("ok", "warn", "fail")
        assert each["remedy"] or each["status"] == "ok"
    assert done.answer["ok"] is True
    assert done.answer["python"] == platform.python_version()
    assert done.answer["environment"]["SUPERTUNE_OFFLINE"] == "1"
    assert found["models"]["remedy"] == "supertune models pull minilm"
    assert "SUPERTUNE_OFFLINE" in found["hub"]["message"]
    assert found["packages"]["status"] == "ok"
    assert "torch" in found["torch"]["message"]
    assert done.answer["next"]


@pytest.mark.slow
def test_a_failure_gives_exit_code_1_and_its_remedy_is_the_next_step(
    supertune, empty_cache: Path
) -> None:
    empty_cache.write_text("a file where the folder should be")
    done = supertune("doctor", "--json")
    assert done.code == 1
    assert done.answer["ok"] is False
    assert checks(done)["cache"]["status"] == "fail"
    assert done.answer["next"] == ["Set SUPERTUNE_CACHE to a folder that can."]
    shown = supertune("doctor")
    assert shown.code == 1
    assert "fail  cache" in shown.out
    assert "Set SUPERTUNE_CACHE" in shown.out


def test_an_old_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.python().status == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    old = machine.python()
    assert old.status == "fail"
    assert "3.11 to 3.13" in old.message


def test_the_python_that_is_allowed_is_the_projects() -> None:
    import tomllib

    root = Path(__file__).resolve().parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    least, most = machine.PYTHONS
    assert project["requires-python"] == f">=3.{least[1]},<3.{most[1] + 1}"


def test_missing_and_outdated_packages_are_named_with_what_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = [
        Requirement("numpy", "<3,>=2.4", None, "1.26.4"),
        Requirement("peft", "<0.22,>=0.21", None, None),
        Requirement("rich", "<16,>=15", None, "15.0.0"),
        Requirement("pyarrow", ">=26", "files", None),
    ]
    monkeypatch.setattr(machine, "declared", lambda: wanted)
    found = {each.name: each for each in machine.packages()}
    assert set(found) == {"package numpy", "package peft", "extra files"}
    assert found["package numpy"].status == "warn"
    assert found["package numpy"].remedy == 'pip install "numpy<3,>=2.4"'
    assert found["package peft"].status == "fail"
    assert "pyarrow" in found["extra files"].message
    assert found["extra files"].remedy == 'pip install "supertune[files]"'


def test_a_nearly_full_disk_warns_and_a_full_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    for left in (10_000_000_000, 1_000_000_000, 1_000_000):
        monkeypatch.setattr(machine, "free", lambda left=left: left)
        states.append(machine.disk().status)
    assert states == ["ok", "warn", "fail"]


def test_little_memory_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = namedtuple("memory", "total available")  # noqa: PYI024  as psutil has it
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(8_000_000_000, 500_000_000))
    assert machine.memory().status == "warn"
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(8_000_000_000, 5_000_000_000))
    assert machine.memory().status == "ok"


def test_a_damaged_activation_cache_warns_with_the_command_that_clears_it(
    empty_cache: Path,
) -> None:
    assert machine.activations().status == "ok"
    from supertune.training.cache import FILE

    (empty_cache / "activations").mkdir(parents=True)
    (empty_cache / "activations" / FILE).write_bytes(b"no database at all" * 100)
    found = machine.activations()
    assert found.status == "warn"
    assert found.remedy == "supertune cache clear activations --yes"


def test_a_limit_that_makes_no_sense_fails(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERTUNE_CACHE_LIMIT", "plenty")
    assert machine.activations().status == "fail"


def test_an_index_that_answers_is_ok_and_its_password_stays_hidden(
    mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine.pip().status == "ok"
    assert machine.npm().status == "ok"
    address = os.environ["PIP_INDEX_URL"].replace("://", "://me:secret@")
    monkeypatch.setenv("PIP_INDEX_URL", address)
    found = machine.pip()
    assert found.status == "ok"
    assert "secret" not in found.message


def test_an_index_that_is_away_or_silent_warns_within_two_seconds(
    mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert machine.pip().status == "warn"
    assert "refused" in machine.pip().message
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        found = machine.pip()
    assert found.status == "warn"
    assert found.remedy


def test_a_machine_without_npm_is_told_what_that_costs(
    mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NPM_CONFIG_REGISTRY")
    monkeypatch.setenv("PATH", str(mirror))
    found = machine.npm()
    assert (found.status, found.remedy) == (
        "warn",
        "Only the data sets spam-assassin, emoji, emoji-clocks need it.",
    )
    assert "npm is not installed" in found.message
