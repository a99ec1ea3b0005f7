"""The page of docs/examples/web, in a browser without a window."""

from __future__ import annotations

import functools
import html
import json
import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from tests.contract.cases import lowest

import supertune
from supertune.catalogue.places import cache_folder

PAGE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "web"
LIBRARY = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
VERSION = "1.30.0"
ROWS = [("a good film", "good"), ("so good", "good"), ("bad and dull", "bad"), ("so bad", "bad")]
TEXTS = ("A good one!", "Crème brûlée, überaus unbelievable; 这部电影太棒了", "dull " * 40)
CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)


@pytest.fixture(scope="module")
def library(own_activations: Path) -> Path:
    """The files of onnxruntime-web, by npm as it is set up here; kept outside the repository."""
    if CHROMIUM is None or shutil.which("npm") is None:
        pytest.skip("needs Chromium and npm")
    kept = (cache_folder() / "models").resolve().parent / "npm" / f"onnxruntime-web-{VERSION}"
    if not all((kept / name).is_file() for name in LIBRARY):
        kept.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", f"onnxruntime-web@{VERSION}", "--silent"]
        packed = subprocess.run(command, cwd=kept, capture_output=True, text=True, timeout=100)
        if packed.returncode:
            pytest.skip("npm cannot fetch onnxruntime-web here")
        with tarfile.open(kept / packed.stdout.split()[-1]) as archive:
            for name in LIBRARY:
                member = archive.extractfile(f"package/dist/{name}")
                assert member is not None
                (kept / name).write_bytes(member.read())
    return kept


@pytest.fixture(scope="module")
def model(own_activations: Path, tmp_path_factory: pytest.TempPathFactory) -> supertune.Model:
    """On one block of minilm with all its words."""
    backbone = lowest("minilm", 1, tmp_path_factory.mktemp("low"))
    options = {"folds": 2, "repeats": 1, "threads": 1, "max_length": 16}
    return supertune.fit(ROWS, method="linear_probe", backbone=backbone, **options)


@pytest.fixture(scope="module")
def address(
    library: Path, model: supertune.Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    served = tmp_path_factory.mktemp("web")
    for path in PAGE.iterdir():
        shutil.copyfile(path, served / path.name)
    for name in LIBRARY:
        os.symlink(library / name, served / name)
    supertune.export(model, served / "graph", format="onnx")

    class Quiet(SimpleHTTPRequestHandler):
        extensions_map = {  # noqa: RUF012  the base class has it so
            **SimpleHTTPRequestHandler.extensions_map,
            ".mjs": "text/javascript",
            ".wasm": "application/wasm",
        }

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(served)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_page_answers_what_the_model_answers(address, model, tmp_path) -> None:
    assert CHROMIUM is not None
    asked = urlencode([("text", text) for text in TEXTS])
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=120000"]
    shown = subprocess.run(
        [*command, f"{address}index.html?{asked}"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=150,
    )
    found = re.search(r'<script id="given"[^>]*>(.*?)</script>', shown.stdout, re.DOTALL)
    assert found is not None, shown.stderr[-2000:]
    answers = json.loads(found[1])
    assert "No text leaves this browser." in shown.stdout
    for text in TEXTS:
        assert f'<blockquote class="">{html.escape(text)}</blockquote>' in shown.stdout
    lens = model.workshop.lens(model.backbone)
    assert lens is not None
    tokens = lens.backbone.tokens(TEXTS, lens.encoding)
    assert [one["ids"] for one in answers] == [list(pieces[0].ids) for pieces in tokens]
    assert [one["answer"] for one in answers] == model.predict(list(TEXTS)).tolist()
    shares = np.array([one["shares"] for one in answers])
    np.testing.assert_allclose(shares, model.predict_proba(list(TEXTS)), atol=1e-4)
