"""The hub's own client, talking to a small hub on this machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tests.catalogue.conftest import Server

REVISION = "0123456789abcdef0123456789abcdef01234567"

PULL = """
import json, sys
from supertune.catalogue.resolve import pull
from supertune.errors import SupertuneError
steps = []
try:
    found = pull(sys.argv[1], progress=lambda *step: steps.append(step))
except SupertuneError as error:
    print(json.dumps({"error": error.as_dict()}))
else:
    files = sorted(p.relative_to(found.folder).as_posix() for p in found.folder.rglob("*.*"))
    print(json.dumps({"source": found.source, "folder": str(found.folder), "files": files,
                      "steps": steps}))
"""


def publish(server: Server, repository: str, files: dict[str, bytes]) -> None:
    """A repository as the hub's interface shows it."""
    about = {"id": repository, "sha": REVISION, "siblings": [{"rfilename": n} for n in files]}
    for place in (f"/api/models/{repository}", f"/api/models/{repository}/revision/main"):
        server.put(place, json.dumps(about), "application/json")
    tree = [
        {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
        for name, data in files.items()
    ]
    server.put(f"/api/models/{repository}/tree/{REVISION}", json.dumps(tree), "application/json")
    for name, data in files.items():
        place = f"/{repository}/resolve/{REVISION}/{name}"
        server.put(place, data)
        tag = f'"{hashlib.sha1(data).hexdigest()}"'
        server.headers[place] = {"ETag": tag, "X-Repo-Commit": REVISION}


@pytest.fixture
def online(server: Server, cache: Path) -> dict[str, str]:
    """The environment of a process for which the server is the hub; no index answers."""
    return {
        "HF_ENDPOINT": server.address,
        "HF_HOME": str(cache / "huggingface"),
        "HF_HUB_CACHE": str(cache / "huggingface" / "hub"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "TRANSFORMERS_OFFLINE": "0",
        "SUPERTUNE_OFFLINE": "0",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
    }


SMALL = {
    "config.json": b"{}",
    "model.safetensors": bytes(300_000),
    "tokenizer.json": b"{}",
    "1_Pooling/config.json": b"{}",
    "modeling_custom.py": b"raise SystemExit('run!')",
    "pytorch_model.bin": b"pickle",
    "onnx/model.json": b"{}",
}


def test_a_hub_id_is_fetched_without_code_or_pickles(python, server: Server, online) -> None:
    publish(server, "owner/small", SMALL)
    done = python(PULL, "owner/small", **online)
    answer = json.loads(done.stdout)
    assert answer["source"] == "hub", answer
    assert answer["files"] == [
        "1_Pooling/config.json",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert done.stderr == ""
    stage, done_bytes, total = answer["steps"][-1]
    assert stage == "fetch owner/small"
    assert 300_000 <= done_bytes <= total, "bytes are told, not files"
    again = json.loads(python(PULL, "owner/small", **{**online, "HF_HUB_OFFLINE": "1"}).stdout)
    assert (again["source"], again["folder"]) == ("cache", answer["folder"])


def test_a_model_without_safetensors_is_refused_with_the_way_out(
    python, server: Server, online
) -> None:
    publish(server, "owner/old", {"config.json": b"{}", "pytorch_model.bin": b"pickle"})
    error = json.loads(python(PULL, "owner/old", **online).stdout)["error"]
    assert error["code"] == "weights_missing"
    assert "convert it once" in error["next"]
    assert server.times(f"/owner/old/resolve/{REVISION}/pytorch_model.bin") == 0


@pytest.mark.parametrize(
    ("status", "header", "code"),
    [
        (404, "RepoNotFound", "unknown_backbone"),
        (403, "GatedRepo", "gated_backbone"),
        (500, "", "no_network"),
    ],
)
def test_a_hub_that_says_no_is_understood(
    python, server: Server, online, status: int, header: str, code: str
) -> None:
    place = "/api/models/owner/none/revision/main"
    server.statuses[place] = [status] * 20
    server.refusals[place] = {"X-Error-Code": header} if header else {}
    error = json.loads(python(PULL, "owner/none", **online).stdout)["error"]
    assert error["code"] == code, error
    assert error["next"]


def test_a_name_that_cannot_be_one_is_refused(python, server: Server, online) -> None:
    error = json.loads(python(PULL, "owner/name/more", **online).stdout)["error"]
    assert error["code"] == "unknown_backbone"


@pytest.mark.parametrize("same", [True, False], ids=["same bytes", "other tokenizer"])
def test_a_catalogue_name_comes_from_the_hub_first_if_its_bytes_are_the_pinned_ones(
    python, server: Server, online, real: Path, same: bool
) -> None:
    files = {
        path.relative_to(real).as_posix(): path.read_bytes()
        for path in real.rglob("*.*")
        if path.is_file() and not path.name.startswith("supertune")
    }
    if not same:
        files["tokenizer.json"] += b" "
    publish(server, "sentence-transformers/all-MiniLM-L6-v2", files)
    answer = json.loads(python(PULL, "minilm", **online).stdout)
    if same:
        assert answer["source"] == "hub", answer
        assert "supertune-origin.json" in answer["files"]
        assert not [name for name in answer["files"] if name.startswith(".cache")]
    else:
        assert answer["error"]["code"] == "no_network"
        assert "its tokenizer.json is not the pinned one" in answer["error"]["received"]
