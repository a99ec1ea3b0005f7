"""A package index and a hub of our own on this machine: real servers, real clients."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import shutil
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from supertune.catalogue.entry import Package
from supertune.catalogue.packages import archive
from supertune.catalogue.resolve import resolve


@dataclass
class Server:
    """Files by path, the faults to show, and what was asked.

    Attributes:
        cuts: by path, after how many bytes each of the next answers breaks off.
        statuses: by path, what the next answers are instead; ``refusals``: their headers.
        pause: seconds between two pieces of an answer.
        ranges: whether it knows the header Range.
        asked: method, path and Range of every request; ``logins``: path and Authorization.
    """

    address: str
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    headers: dict[str, Mapping[str, str]] = field(default_factory=dict)
    refusals: dict[str, Mapping[str, str]] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    pause: float = 0.0
    ranges: bool = True
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    logins: list[tuple[str, str | None]] = field(default_factory=list)

    def put(self, path: str, body: bytes | str, kind: str = "application/octet-stream") -> None:
        self.files[path] = (kind, body.encode() if isinstance(body, str) else body)

    def times(self, path: str) -> int:
        """How often ``path`` was fetched."""
        return sum(1 for method, each, _ in self.asked if (method, each) == ("GET", path))

    def publish(self, package: Package, body: bytes, *, as_json: bool = True) -> str:
        """List one file of a package; the path it is fetched from."""
        place = f"/files/{package.file}"
        if as_json:
            listed = {"files": [{"filename": package.file, "url": f"../..{place}"}]}
            page, kind = json.dumps(listed), "application/vnd.pypi.simple.v1+json"
        else:
            page = f'<!DOCTYPE html><a href="{self.address}{place}#sha256=0">{package.file}</a>'
            kind = "text/html; charset=utf-8"
        self.put(f"/simple/{package.name}/", page, kind)
        self.put(place, body)
        return place


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        told, path = self.server.told, self.path.split("?")[0]
        wanted = self.headers.get("Range")
        told.asked.append((self.command, path, wanted))
        told.logins.append((path, self.headers.get("Authorization")))
        status = told.statuses[path].pop(0) if told.statuses.get(path) else None
        if status is not None or path not in told.files:
            self._head(status or 404, "text/plain", 0, told.refusals.get(path, {}))
            return
        kind, data = told.files[path]
        status, more = 200, dict(told.headers.get(path, {}))
        if wanted and told.ranges:
            first = int(wanted.removeprefix("bytes=").split("-")[0])
            if first >= len(data):
                self._head(416, kind, 0, {})
                return
            more["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            status, data = 206, data[first:]
        self._head(status, kind, len(data), more)
        if body:
            self._send(data, told.cuts[path].pop(0) if told.cuts.get(path) else None)

    def _head(self, status: int, kind: str, length: int, more: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(length), **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, data: bytes, cut: int | None) -> None:
        try:
            for start in range(0, len(data[:cut]), 1 << 18):
                self.wfile.write(data[:cut][start : start + (1 << 18)])
                time.sleep(self.server.told.pause)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        if cut is not None:
            self.close_connection = True


class _Http(http.server.ThreadingHTTPServer):
    daemon_threads = True
    told: Server


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on this machine that has nothing yet."""
    with _Http(("127.0.0.1", 0), _Handler) as http_server:
        http_server.told = Server(f"http://127.0.0.1:{http_server.server_address[1]}")
        thread = threading.Thread(target=http_server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield http_server.told
        http_server.shutdown()
        thread.join()


@pytest.fixture
def index(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server as the index of pip and npm; the network is otherwise out of reach."""
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", server.address)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "SUPERTUNE_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return server


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of this test; what it fetches is large and goes with it."""
    place = tmp_path / "cache"
    monkeypatch.setenv("SUPERTUNE_CACHE", str(place))
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def shared(own_activations: Path) -> Path:
    """The person's own cache, in which models, data and packages are fetched once."""
    return (own_activations / "models").resolve().parent


@pytest.fixture(scope="session")
def real(own_activations: Path) -> Path:
    """The folder of minilm in the person's own cache."""
    return resolve("minilm").folder


Kept = Callable[[Package], Path]


@pytest.fixture(scope="session")
def kept(shared: Path) -> Kept:
    """The real archive of a package, in the person's own cache, from the person's own index."""
    own = {name: os.environ.get(name) for name in ("PIP_INDEX_URL", "NPM_CONFIG_REGISTRY")}

    def fetched(package: Package) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SUPERTUNE_CACHE", str(shared))
            for name, value in own.items():
                if value is None:
                    patch.delenv(name, raising=False)
                else:
                    patch.setenv(name, value)
            return archive(package)

    return fetched


def wheel(files: Mapping[str, bytes]) -> bytes:
    """A zip archive with these members."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)
    return written.getvalue()


@pytest.fixture
def package() -> tuple[Package, bytes]:
    """A package of a megabyte, and its file."""
    noise = b"".join(hashlib.sha256(bytes([a, b])).digest() for a in range(128) for b in range(256))
    body = wheel({"tiny_words/words.txt": noise})
    digest = hashlib.sha256(body).hexdigest()
    file = "tiny_words-1.0-py3-none-any.whl"
    return Package("pypi", "tiny-words", "1.0", file, digest, len(body)), body
