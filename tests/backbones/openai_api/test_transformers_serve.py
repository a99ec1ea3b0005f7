"""A server of others: `transformers serve` with smollm2 on loopback.

It has chat and responses, and takes no notice of log-probabilities and structures that it is asked
for, which is to be found out.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from supertune.backbones.openai_api import _known
from supertune.config import Recipe
from supertune.contracts import Encoding, FloatArray, Prompt
from supertune.contracts.remote import Api, Sent, Terms
from supertune.errors import InputError
from supertune.opening import reference
from supertune.pipeline import Workshop

PATIENCE = 120.0  # seconds that it may take to start


@pytest.fixture(scope="module")
def served(
    own_activations: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """(address, name of the model)"""
    pytest.importorskip("uvicorn")
    pytest.importorskip("fastapi")
    folder = str(reference("smollm2").folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", folder]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    command += ["--dtype", "float32"]
    offline = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    log = tmp_path_factory.mktemp("served") / "log"
    with (
        log.open("wb") as said,
        subprocess.Popen(command, env=os.environ | offline, stdout=said, stderr=said) as server,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}/v1", folder
        finally:
            server.kill()


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    pytest.fail(f"transformers serve did not start: {log.read_text('utf-8')[-2000:]}")


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_it_is_found_out_that_it_answers_and_heeds_neither_field(
    served: tuple[str, str], api: Api
) -> None:
    url, name = served
    ref = reference(f"openai:{name}", terms=Terms(base_url=url, api=api))
    _, known = _known(ref, ref.terms or Terms())
    assert known.width == 0
    (spoken,) = known.spoken
    assert (spoken.api, spoken.top, spoken.structured) == (api, 0, False)
    assert 0.8 < spoken.asked.ratio < 2


def test_labels_are_read_from_what_it_wrote_and_asked_for_once(served: tuple[str, str]) -> None:
    url, name = served
    prompt = Prompt("{text} It was {answer}.", (("good",), ("bad",)))
    texts = ["a joy from its first minute", "dull and far too long"]

    def scored(allowed: bool) -> tuple[FloatArray, Sent]:
        workshop = Workshop(Recipe(base_url=url, allow_remote=allowed, threads=1, api="responses"))
        lens = workshop.lens(f"openai:{name}")
        assert lens is not None
        found = lens.under(Encoding(max_length=48, prompt=prompt)).scores(texts)
        (sent,) = workshop.account.sent.values()
        return found, sent

    found, sent = scored(True)
    assert "looking for the words" in sent.how
    assert "/responses" in sent.how
    assert (sent.estimated, len(sent.fresh)) == (0, 2)
    assert min(sent.tokens) > 0
    again, sent = scored(False)  # what is kept needs no consent
    np.testing.assert_array_equal(again, found)
    assert sent.requests == 0


def test_another_model_than_it_serves_is_refused_in_its_own_words(served: tuple[str, str]) -> None:
    ref = reference("openai:another", terms=Terms(base_url=served[0]))
    with pytest.raises(InputError) as caught:
        _known(ref, ref.terms or Terms())
    assert caught.value.code == "unknown_remote_model"
