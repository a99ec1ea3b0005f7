"""An unreachable hub costs two seconds once, and nothing for some minutes after."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from tests.catalogue.conftest import Server

from supertune.catalogue import network
from supertune.catalogue.network import hub_unreachable


@pytest.fixture(autouse=True)
def online(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in network.HUB_OFFLINE:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes a connection and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("name", network.HUB_OFFLINE)
def test_every_offline_variable_is_respected_without_asking(
    name: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    monkeypatch.setenv(name, "0")
    assert hub_unreachable() is None
    asked = len(server.asked)
    monkeypatch.setenv(name, "1")
    assert hub_unreachable() == f"{name} switches it off"
    assert len(server.asked) == asked


def test_a_silent_hub_is_found_out_in_two_seconds_and_remembered_on_disk(
    silent: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", silent)
    started = time.monotonic()
    why = hub_unreachable()
    assert why is not None
    assert "unreachable" in why
    assert time.monotonic() - started < network.PROBE_SECONDS + 0.5
    started = time.monotonic()
    assert hub_unreachable() == "unreachable a moment ago"
    assert time.monotonic() - started < 0.1
    assert [path.name for path in cache.iterdir()] == ["hub-unreachable"]


def test_what_is_remembered_holds_for_minutes_and_for_that_hub_alone(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    why = hub_unreachable()
    assert why is not None
    assert "refused" in why
    assert hub_unreachable() == "unreachable a moment ago"
    assert "refused" in (hub_unreachable(ask_again=True) or "")
    note = cache / "hub-unreachable"
    old = time.time() - network.REMEMBER_SECONDS - 1
    os.utime(note, (old, old))
    assert "refused" in (hub_unreachable() or "")
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    assert hub_unreachable() is None, "another hub is another matter"
    assert not note.exists(), "and one that answers clears the note"


@pytest.mark.parametrize(
    ("status", "reachable"), [(200, True), (401, True), (404, True), (407, False), (503, False)]
)
def test_whatever_answers_sensibly_is_reachable(
    status: int, reachable: bool, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"{server.address}/hub")
    server.statuses["/hub"] = [status]
    assert (hub_unreachable() is None) is reachable


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("no folder")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "refused" in (hub_unreachable() or "")
    assert "refused" in (hub_unreachable() or ""), "then it is asked every time"
