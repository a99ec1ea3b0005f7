"""A live line for what takes longer than two seconds, and only for people who watch."""

from __future__ import annotations

import io
import re
import time

import pytest

from supertune.cli import progress
from supertune.cli.progress import Progress
from supertune.cli.terminal import Terminal


class Window(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(progress, "PATIENCE", 0.05)


def watched(stream: io.StringIO, *, seconds: float = 0.5, bytes_: bool = False, **options) -> str:
    """What is drawn while two stages run."""
    with Progress(Terminal(stderr=stream, **options), bytes_=bytes_) as live:
        until = time.monotonic() + seconds
        live("fetch [weights]", 0, 2_000_000)
        while time.monotonic() < until:
            live("fetch [weights]", 1_000_000, 2_000_000)
            time.sleep(0.02)
        live("unpack", 0, None)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())


def test_a_download_shows_its_bytes_and_speed() -> None:
    drawn = watched(Window(), bytes_=True)
    assert "fetch [weights]" in drawn
    assert "1.0/2.0 MB" in drawn
    assert "MB/s" in drawn or "?" in drawn


def test_other_work_shows_how_much_is_done() -> None:
    assert "1000000/2000000" in watched(Window())


def test_nothing_is_drawn_when_it_is_quickly_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 5.0)
    assert watched(Window(), seconds=0.1) == ""


@pytest.mark.parametrize("stream", [io.StringIO(), Window()], ids=["a file", "quiet"])
def test_nothing_is_drawn_where_nobody_watches(stream: io.StringIO) -> None:
    assert watched(stream, quiet=isinstance(stream, Window)) == ""


def test_verbose_writes_each_stage_once_into_a_file() -> None:
    lines = watched(io.StringIO(), seconds=0.1, verbose=True).splitlines()
    assert [line.split(" s  ")[1] for line in lines] == ["fetch [weights]", "unpack"]


def test_the_line_is_gone_when_it_ends_and_also_after_a_failure() -> None:
    stream = Window()

    def failing() -> None:
        with Progress(Terminal(stderr=stream)) as live:
            live("fit", 1, 2)
            time.sleep(0.3)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        failing()
    drawn = stream.getvalue()
    assert "fit" in drawn
    assert drawn.rstrip().endswith("\x1b[2K"), "the last thing written clears the line"
    time.sleep(0.2)
    assert stream.getvalue() == drawn, "nothing draws on afterwards"


def test_seconds_are_those_since_the_start() -> None:
    with Progress(Terminal(stderr=io.StringIO())) as live:
        time.sleep(0.05)
        assert 0.05 <= live.seconds < 5
