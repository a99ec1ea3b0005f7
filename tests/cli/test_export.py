"""``supertune export`` as a person uses it."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Run


def test_a_probe_is_merged_and_says_that_its_backbone_is_as_it_was(
    supertune: Run, probe: Path, here: Path
) -> None:
    done = supertune("export", probe, "--to", "plain", "--format", "merged")
    assert done.code == 0, done.err
    assert "plain: a transformers folder" in done.out
    assert "linear_probe tunes nothing in minilm" in done.out
    assert "supertune fit ROWS.csv --backbone plain" in done.out
    again = supertune("export", probe, "--to", "plain", "--format", "merged", "--json")
    assert (again.code, again.error["code"]) == (2, "output_exists")
    third = supertune(
        "export", probe, "--to", "plain", "--format", "merged", "--json", "--overwrite"
    )
    assert third.code == 0, third.out
    assert (third.answer["format"], third.answer["output"]) == ("merged", "plain")
    assert {"model.safetensors", "config.json", "head.safetensors"} <= {*third.answer["files"]}


def test_without_an_adapter_there_is_nothing_for_peft(
    supertune: Run, probe: Path, words: Path, here: Path
) -> None:
    done = supertune("export", probe, "--to", "plain", "--json")
    assert (done.code, done.error["code"]) == (2, "no_adapter")
    done = supertune("export", words, "--to", "plain", "--json")
    assert (done.code, done.error["code"]) == (2, "nothing_to_export")
    assert list(here.iterdir()) == []


def test_its_help_has_examples(supertune: Run) -> None:
    done = supertune("export", "--help")
    assert done.code == 0
    assert "supertune export my-model --to my-transformer --format merged" in done.out
