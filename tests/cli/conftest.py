"""Machines on which commands run: one that has nothing yet, and one with an index of its own."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from supertune.catalogue import data_sets
from supertune.catalogue.packages import archive


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
    package = data_sets.dataset("bbc-news").package
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
