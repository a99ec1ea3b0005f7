"""``supertune methods``: what each needs and takes, and what works with what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from supertune import registry
from supertune.catalogue import entries
from supertune.contracts import misfit

MAIN = "import sys; from supertune.cli.main import main; sys.exit(main(sys.argv[1:]))"


def test_every_method_says_what_it_needs_takes_and_comes_from(supertune) -> None:
    done = supertune("methods", "--json")
    assert (done.code, done.err) == (0, "")
    told = {each["name"]: each for each in done.answer["methods"]}
    assert set(told) == set(registry.names("methods"))
    for name, each in told.items():
        method = registry.method(name)
        assert each["needs"] == sorted(method.needs)
        assert each["reference"] == method.reference
        defaults = {key["name"]: key["default"] for key in each["options"]}
        expected = json.loads(method.options().model_dump_json())
        assert defaults == expected, "the defaults shown are those used"
    assert [each["kind"] for each in (told["lora"], told["linear_probe"])] == ["gradient", "solver"]


def test_the_matrix_is_whole_and_decided_by_the_contract(supertune, empty_cache: Path) -> None:
    done = supertune("methods", "--json")
    cells = {(c["task"], c["method"], c["backbone"]): c for c in done.answer["matrix"]}
    backbones = {"none", "keras", "onnx", "openai:MODEL"}
    backbones |= {entry.name for entry in entries.models()}
    methods = registry.names("methods")
    tasks = registry.names("tasks")
    assert set(cells) == {(t, m, b) for t in tasks for m in methods for b in backbones}
    for (task, method, backbone), cell in cells.items():
        assert cell["fits"] is (cell["why"] is None)
        if backbone == "none":
            asked = registry.task(task)
            why = misfit(registry.method(method), asked.objective, None, asked.modalities[0])
            assert cell["why"] == why
    assert cells["text_classification", "lora", "e5-small"]["fits"]
    assert cells["text_classification", "bag_of_words", "none"]["fits"]
    assert cells["regression", "linear_regression", "none"]["fits"], "over columns of numbers"
    assert cells["regression", "linear_regression", "minilm"]["fits"], "over a text"
    assert cells["regression", "contrastive", "minilm"]["why"] == (
        "contrastive serves classify, not regress"
    )
    assert cells["regression", "lora", "minilm"]["why"] is None
    assert "takes no backbone" in cells["text_classification", "bag_of_words", "minilm"]["why"]


def test_the_matrix_is_the_same_before_and_after_fetching(
    supertune, empty_cache: Path, own_activations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = supertune("methods", "--json").answer["matrix"]
    monkeypatch.setenv("SUPERTUNE_CACHE", str(own_activations))
    assert supertune("methods", "--json").answer["matrix"] == before


def test_one_method_shows_all_its_keys_with_range_and_default(supertune) -> None:
    done = supertune("methods", "lora", "--json")
    keys = {key["name"]: key for key in done.answer["options"]}
    assert keys["rank"] == {
        "name": "rank",
        "type": "integer, 1 to 1024",
        "default": 8,
        "description": "",
    }
    assert keys["alpha"]["type"] == "number, above 0"
    assert keys["blocks"]["type"] == "'upper' or 'all' or 'decoder' or list of integer"
    assert keys["targets"]["type"] == "list of string or none"
    assert keys["label_smoothing"]["type"] == "number, 0 to below 1"
    assert {fit["method"] for fit in done.answer["fits"]} == {"lora"}
    shown = supertune("methods", "lora").out
    assert "arXiv:2106.09685" in shown
    assert "Next\n  supertune fit reviews.csv --method lora" in shown


def test_a_method_without_keys_says_so(supertune) -> None:
    assert "no keys of its own" in supertune("methods", "majority").out


def test_people_see_a_table_of_what_works(supertune, empty_cache: Path) -> None:
    out = supertune("methods").out
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.split()}
    assert lines["text_classification"] == [
        "none",
        "minilm",
        "e5-small",
        "smollm2",
        "keras",
        "onnx",
        "openai:MODEL",
    ]
    pictures = ["none", "dinov2-small", "efficientnet-lite0", "nanodet-g"]
    assert lines["image_classification"] == pictures
    assert lines["object_detection"] == ["none", "nanodet-g"]
    assert lines["image_stylization"] == ["none", "multistyle"]
    full = ["full", "-", "yes", "yes", "yes", "yes", "-", "-"]
    assert [line for line in out.splitlines() if line.split() == full]
    assert max(len(line) for line in out.splitlines()) <= 100


def test_an_unknown_method_suggests_the_nearest(supertune) -> None:
    done = supertune("methods", "lorra", "--json")
    assert (done.code, done.error["code"]) == (2, "unknown_method")
    assert done.error["next"] == "Did you mean 'lora'?"


def test_outsiders_stand_in_the_matrix_with_the_reason_of_every_no(python, outside: Path) -> None:
    answer = json.loads(python(MAIN, "methods", "--json", paths=[outside]).stdout)
    cells = {(c["task"], c["method"], c["backbone"]): c for c in answer["matrix"]}
    assert cells["text_classification", "linear_probe", "hashed_words"]["fits"]
    why = cells["text_classification", "lora", "hashed_words"]["why"]
    assert "blocks" in why
    assert "hashed words lacks" in why
    assert cells["text_classification", "character_bayes", "none"]["fits"]
    assert "hashed words lacks" in python(MAIN, "methods", paths=[outside]).stdout


def test_one_broken_outsider_does_not_hide_the_rest(python, tmp_path: Path) -> None:
    about = tmp_path / "broken-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[supertune.methods]\nbroken = no_such_module:METHOD\n")
    done = python(MAIN, "methods", "--json", paths=[tmp_path])
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert "lora" in {each["name"] for each in answer["methods"]}
    assert [error["code"] for error in answer["broken"]] == ["plugin_broken"]
    assert "Left out" in python(MAIN, "methods", paths=[tmp_path]).stderr


def test_families_of_methods_are_told_compactly_and_in_full_as_json(supertune) -> None:
    answer = supertune("methods", "--json").answer
    (family,) = answer["families"]
    told = {each["name"]: each for each in family["methods"]}
    assert family["name"] == "peft"
    assert len(told) > 40
    assert told["peft:LOHA"]["families"] == ["encoder", "masked", "causal", "seq2seq"]
    assert told["peft:CPT"]["families"] == ["causal"]
    assert told["peft:XLORA"]["families"] == []
    assert told["peft:XLORA"]["why"]
    out = supertune("methods").out
    assert "peft:NAME" in out
    assert "LOHA" in out
    assert f"peft:XLORA: {told['peft:XLORA']['why']}" in out


def test_a_member_of_a_family_shows_its_keys_and_where_it_fits(supertune) -> None:
    done = supertune("methods", "peft:LOHA", "--json")
    keys = {key["name"]: key for key in done.answer["options"]}
    assert keys["r"]["default"] == 8
    assert keys["epochs"]["default"] == 12
    fits = {
        fit["backbone"]: fit["fits"]
        for fit in done.answer["fits"]
        if fit["task"] == "text_classification"
    }
    assert fits["minilm"]
    assert not fits["none"]
    assert supertune("methods", "peft:LOHA").out.startswith("peft:LOHA")


@pytest.mark.parametrize(
    ("name", "code"), [("peft:XLORA", "method_refused"), ("peft:NOSUCH", "unknown_peft_type")]
)
def test_a_member_that_cannot_serve_or_is_not_there_says_so(supertune, name, code) -> None:
    done = supertune("methods", name, "--json")
    assert (done.code, done.error["code"]) == (2, code)
