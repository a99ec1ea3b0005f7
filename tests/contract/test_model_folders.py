"""What every method's model folder holds, and what a fresh process makes of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import supertune
from supertune import registry
from supertune.artifact import read, tensor_bytes

SAFE = {".safetensors", ".json", ".jsonl", ".yaml", ".html", ".md"}


def test_a_fresh_process_answers_the_same_bits(case, saved, reloaded):
    assert reloaded[case.key]["scored"] == saved(case).scored


def test_a_fresh_process_predicts_the_same(case, saved, reloaded):
    assert reloaded[case.key]["answers"] == saved(case).answers


def test_a_fresh_process_fits_the_same_bytes_from_rows_in_another_order(case, saved, reloaded):
    assert reloaded[case.key]["tuned"] == saved(case).tuned


def test_loaded_in_the_same_process_it_answers_the_same_bits(case, saved):
    model = saved(case)
    again = supertune.load(model.folder)
    assert again.predictions(model.asked).scored.tobytes().hex() == model.scored


def test_fitting_and_saving_leave_the_files_of_the_backbone(case, saved):
    before, after = saved(case).backbone_files
    assert before == after
    assert bool(before) == (case.lens is not None)


def test_every_file_is_listed_with_its_sha256(case, saved):
    folder = saved(case).folder
    manifest = json.loads((folder / "supertune.json").read_text("utf-8"))
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(manifest["files"]) == there - {"supertune.json"}
    for name, entry in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def test_the_folder_is_verified_and_says_what_it_is(case, saved):
    manifest = read(saved(case).folder).manifest
    assert manifest["method"] == case.name
    assert manifest["recipe"]["method"] == case.name
    assert manifest["labels"] == list(case.examples.labels)
    assert "auto" not in (manifest["recipe"]["method"], manifest["recipe"]["backbone"])
    on = manifest["backbone"]
    assert (on is None) == (case.lens is None)
    if on is not None:
        assert Path(on.pop("name")).name == case.lens.backbone.ref.name
        assert on == {"sha256": case.lens.backbone.sha256}


def test_nothing_in_the_folder_can_run(case, saved):
    for path in saved(case).folder.rglob("*"):
        assert path.is_dir() or path.suffix in SAFE
        start = path.read_bytes()[:2] if path.is_file() else b""
        assert start not in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK", b"\x7fE")


def test_the_folder_holds_nothing_of_the_rows_when_none_may_be_kept(case, saved, exempt):
    exempt(case, "kept")
    # One made-up word stands in every text and in every picture's name; labels are not rows and
    # may be there.
    words = ["quokkaflux"]
    if case.examples.columns:
        words = [repr(number) for row in case.examples.inputs for number in row]
        assert all(len(word) > 10 for word in words)
    for path in saved(case).folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not any(word.encode() in content.lower() for word in words), path.name
        # Every picture is of the PNG format, whose first bytes these are.
        assert b"\x89PNG" not in content
        assert b"iVBORw0KGgo" not in content, "in base64"


def test_the_tuned_numbers_are_those_of_the_state(case, saved):
    folder = saved(case).folder
    state = supertune.load(folder).tuned.state()
    assert (folder / "tuned.safetensors").read_bytes() == tensor_bytes(state.arrays)
    adapter = folder / "adapter_model.safetensors"
    assert adapter.exists() == bool(state.adapter)
    if state.adapter:
        assert adapter.read_bytes() == tensor_bytes(state.adapter)
        assert json.loads((folder / "adapter_config.json").read_text("utf-8"))["peft_type"]


def test_the_report_counts_what_was_tuned(case, saved):
    folder = saved(case).folder
    report = json.loads((folder / "report.json").read_text("utf-8"))
    tuned = supertune.load(folder).tuned
    assert report["method"] == case.name
    assert report["tuned"]["parameters"] == tuned.tuned_parameters
    state = tuned.state()
    arrays = (*state.arrays.values(), *state.adapter.values())
    assert report["tuned"]["bytes"] == sum(array.nbytes for array in arrays)


def test_the_score_has_an_interval_and_baselines_beside_it(case, saved):
    report = json.loads((saved(case).folder / "report.json").read_text("utf-8"))
    estimate = report["estimate"]
    assert estimate["low"] <= estimate["value"] <= estimate["high"]
    task = registry.task(report["task"])
    assert registry.objective(task.objective).baselines[0] in report["baselines"]


@pytest.fixture
def stop(case):
    """Ctrl-C in the midst of tuning; of methods that tell nothing of it, before."""

    def stopped(stage: str, *_: object) -> None:
        if stage.startswith("tune") or not case.gradient:
            raise KeyboardInterrupt

    return stopped


def test_an_interrupted_fit_leaves_no_file_and_the_weights(
    case, saved, stop, opened_weights, tmp_path
):
    rows = saved(case).rows
    options = saved(case).options
    before = opened_weights(case)
    with pytest.raises(KeyboardInterrupt):
        supertune.fit(rows, output=tmp_path / "model", progress=stop, **options)
    assert list(tmp_path.iterdir()) == []
    assert opened_weights(case) == before
