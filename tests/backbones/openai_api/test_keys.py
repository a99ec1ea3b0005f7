"""Keys of servers: read from the environment or a keyring, and found in nothing that is written."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail
from tests.openai_jobs import JobServer, Quick
from tests.openai_server import Hashes, status

import supertune
from supertune.backbones.openai_api import keys
from supertune.errors import SupertuneError

KEY = "sk-planted-0123456789abcdef"
WORDS = [f"a text of {number}" for number in range(12)]


@contextmanager
def listening() -> Iterator[list[str]]:
    """Every log message of the process, at every level."""
    said: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(self.format(record))

    root, handler = logging.getLogger(), Handler()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@contextmanager
def in_memory() -> Iterator[dict[tuple[str, str], str]]:
    """A keyring that lasts as long as this; what is kept in it, by service and name."""
    before = keyring.get_keyring()
    backend = InMemory()
    keyring.set_keyring(backend)
    try:
        yield backend.passwords
    finally:
        keyring.set_keyring(before)


class InMemory(KeyringBackend):
    """Of the library's own make, with a dictionary for a store that can only be read."""

    priority = 1  # type: ignore[assignment]  # as the library's guide says it

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.passwords: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("nothing is ever written")

    delete_password = None  # type: ignore[assignment]


def test_the_environment_outdoes_the_keyring_and_a_keyring_that_fails_has_no_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "https://models.example.org/v1"
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with in_memory() as kept:
        assert keys.found(url) == ""
        kept["supertune:models.example.org", "key"] = "of the keyring"
        assert keys.found(url) == "of the keyring"
        assert keys.found("https://models.example.org:8443/v1") == ""
        monkeypatch.setenv("OPENAI_API_KEY", "of the environment")
        assert keys.found(url) == "of the environment"
    monkeypatch.delenv("OPENAI_API_KEY")
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())  # as where a machine has none
    try:
        assert keys.found(url) == ""
    finally:
        keyring.set_keyring(before)


@pytest.mark.parametrize("place", ["environment", "keyring"])
def test_a_planted_key_is_found_in_nothing_that_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    rows = [(f"{text} {place}", "ab"[i % 2]) for i, text in enumerate(WORDS)]
    said: list[str] = []
    models = {"hashes": Hashes(), "base": Quick()}
    with JobServer(key=KEY, **models) as server, listening() as logged, in_memory() as kept:
        if place == "environment":
            monkeypatch.setenv("OPENAI_API_KEY", KEY)
        else:
            monkeypatch.delenv("OPENAI_API_KEY", raising=False)
            kept[f"supertune:{server.url[7:-3]}", "key"] = KEY
        said_to: dict[str, Any] = {
            "backbone": "openai:hashes",
            "base_url": server.url,
            "allow_remote": True,
            "folds": 2,
            "repeats": 1,
            "threads": 1,
        }
        model = supertune.fit(rows, output=tmp_path / "m", method="nearest_centroid", **said_to)
        said += [repr(model), repr(model.workshop), str(supertune.plan(rows, **said_to).data)]
        said_to |= {"backbone": "openai:base", "method": "fine_tuning_job"}
        others = [(f"{text} of another", label) for text, label in rows]
        tuned = supertune.fit(rows, output=tmp_path / "t", test=others, **said_to)
        said += [repr(tuned), repr(tuned.tuned), json.dumps(supertune.jobs())]
        assert "ftjob-1" in said[-1]
        server.ends = "failed", {"code": "x", "message": f"Incorrect API key {KEY}. Bearer {KEY}"}
        with pytest.raises(SupertuneError) as caught:
            supertune.fit(others, test=rows, **said_to)
        said += [str(caught.value), json.dumps(caught.value.as_dict())]
        server.always = status(401, f"Incorrect API key provided: {KEY}. Bearer {KEY}")
        with pytest.raises(SupertuneError) as caught:
            model.predict(["a text of none"])
        error: BaseException | None = caught.value
        said += [str(error), json.dumps(caught.value.as_dict()), repr(error)]
        assert "key_refused" in said[-2]
        assert error is not None
        assert error.__cause__ is None
        assert error.__suppress_context__
    said += [*logged, *capsys.readouterr()]
    cache = Path(os.environ["SUPERTUNE_CACHE"])
    files = [*tmp_path.rglob("*"), *cache.glob("*"), *(cache / "jobs").glob("*")]
    files += (cache / "activations").rglob("*")
    said += [path.read_bytes().decode("latin-1") for path in files if path.is_file()]
    assert len(said) > 10
    assert not [text for text in said if KEY in text or KEY[3:] in text]
