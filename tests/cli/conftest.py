"""Running commands: in this process, where it is quick, and as a program, where it matters."""

from __future__ import annotations

import functools
import http.server
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from supertune.catalogue import entries
from supertune.catalogue.packages import archive
from supertune.cli.main import main


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said where."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        loaded = json.loads(self.out)
        assert isinstance(loaded, dict)
        return loaded

    @property
    def error(self) -> dict[str, Any]:
        assert set(self.answer) == {"error"}
        error: dict[str, Any] = self.answer["error"]
        assert set(error) == {"code", "message", "received", "allowed", "next"}
        return error


Run = Callable[..., Done]


@pytest.fixture
def supertune(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """``supertune("models", "--json")`` in this process."""
    before = dict(os.environ)
    # As a person's own -W does: warnings stay what pytest makes of them.
    monkeypatch.setattr(sys, "warnoptions", ["error"])

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        out, err = capsys.readouterr()
        return Done(code, out, err)

    yield run
    # What main() settles for its process must not reach the next test.
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has nothing yet and no network."""
    place = tmp_path / "cache"
    monkeypatch.setenv("SUPERTUNE_CACHE", str(place))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("SUPERTUNE_OFFLINE", "1")
    return place


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror(
    tmp_path: Path, empty_cache: Path, own_activations: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty machine, and an index of pip's with bbc-news; the folder that is served."""
    package = entries.dataset("bbc-news").package
    folder = tmp_path / "mirror"
    page = folder / "simple" / package.name / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../../{package.file}">{package.file}</a>')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUPERTUNE_CACHE", str((own_activations / "models").resolve().parent))
        patch.delenv("SUPERTUNE_OFFLINE")
        (folder / package.file).symlink_to(archive(package))
    handler = functools.partial(_Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
        monkeypatch.delenv("SUPERTUNE_OFFLINE")
        yield folder
        server.shutdown()
        thread.join()
