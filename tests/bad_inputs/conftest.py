"""What every refusal owes: a code, words, a way out, exit code 2, soon, and not one new file."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Run

SECONDS = 5.0  # of this process: what others do on the machine is not its fault
Make = Callable[[Path], None]
Refused = Callable[..., dict[str, Any]]


def nothing(here: Path) -> None:
    pass


@dataclass(frozen=True)
class Bad:
    """One bad input: what is written, what is asked, and how it must be answered.

    Attributes:
        code: of the error; ``said`` must stand in its words.
        arguments: of the command, after its name; texts are taken as they are.
        make: writes what is needed into the folder that the person is in.
    """

    code: str
    make: Make = nothing
    arguments: tuple[str, ...] = ("rows.csv",)
    said: str = ""


def file(content: str | bytes, name: str = "rows.csv") -> Make:
    data = content.encode("utf-8") if isinstance(content, str) else content

    def make(here: Path) -> None:
        (here / name).write_bytes(data)

    return make


def both(*makes: Make) -> Make:
    def make(here: Path) -> None:
        for one in makes:
            one(here)

    return make


ROWS = [
    *(("warm and funny", "good"), ("dull and long", "bad"), ("a joy to watch", "good")),
    *(("a waste of an evening", "bad"), ("moving and wise", "good"), ("flat jokes", "bad")),
    *(("superb acting", "good"), ("no story at all", "bad")),
]
GOOD = "text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS)
good = file(GOOD)


def snapshot(folder: Path) -> dict[str, str]:
    """Every file and folder below, with the sha256 of what it holds."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file() and not path.is_symlink()
        else "folder or link"
        for path in folder.rglob("*")
    }


def check_words(error: dict[str, Any], code: str, said: str) -> None:
    assert error["code"] == code, error
    assert error["message"].strip().endswith((".", "?", ")")), error
    assert error["next"], error
    words = " ".join(str(error[key]) for key in ("message", "received", "allowed", "next"))
    assert said in words, words
    assert "Traceback" not in words
    assert len(words) < 5000, "a cell of ten megabytes in a message helps nobody"


@pytest.fixture
def unchanged(tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Called at the end: whether every file is as it was when the fixture was last told to look.

    Temporary files go into a folder that is looked at too.
    """
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    seen: list[dict[str, str]] = []

    def look() -> None:
        seen.append(snapshot(tmp_path))
        assert seen[0] == seen[-1]

    return look


@pytest.fixture
def refused(supertune: Run, unchanged: Callable[[], None]) -> Refused:
    """Run a command that must be refused; returns its error object."""

    def run(command: str, *arguments: object, code: str, said: str = "") -> dict[str, Any]:
        unchanged()
        started = time.process_time()
        done = supertune(command, *arguments, "--json")
        seconds = time.process_time() - started
        assert done.code == 2, done
        check_words(done.error, code, said)
        assert done.err == "", done.err
        assert seconds < SECONDS
        unchanged()
        return done.error

    return run
