"""Boxes from the command line: fit, detect, predict, evaluate, on composed pictures."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.conftest import Run

import supertune as tune
from supertune.catalogue.composing import CLASSES, composed
from supertune.contracts import Detections
from supertune.errors import InputError

FIT = ["--backbone", "nanodet-g", "--method", "detection_head", "--set", "steps=6"]
FIT += ["--set", "batch_size=2", "--set", "views=1", "--resolution", "160", "--set", "folds=2"]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory, own_activations: Path) -> Path:
    folder = tmp_path_factory.mktemp("composed")
    composed(folder, train=6, test=4, seed=0)
    return folder


@pytest.fixture(scope="module")
def fitted(photographs: Path) -> tune.Model:
    return tune.fit(
        photographs / "train.json", output=photographs / "model", test=photographs / "test.json",
        backbone="nanodet-g", method="detection_head", steps=6, batch_size=2, views=1,
        resolution=160,
    )  # fmt: skip


def test_composed_pictures_are_the_same_for_one_seed(photographs: Path, tmp_path: Path) -> None:
    composed(tmp_path, train=6, test=4, seed=0)
    for name in ("train.json", "test.json", "train/0003.jpg"):
        assert (tmp_path / name).read_bytes() == (photographs / name).read_bytes()


def test_the_task_is_recognised_and_a_report_says_what_was_found(fitted: tune.Model) -> None:
    report: dict[str, Any] = fitted.report.data
    assert fitted.task == "object_detection"
    assert report["metric"] == "map"
    assert set(report["metrics"]) == {"map", "map50", "map75", "ar"}
    assert set(report["baselines"]) == {"pretrained_classes"}
    assert 0 <= report["test"]["low"] <= report["test"]["value"] <= report["test"]["high"] <= 1
    classes = {one["label"]: one for one in report["detection"]["classes"]}
    assert set(classes) <= set(CLASSES)
    for one in classes.values():
        assert one["hits"] + one["misses"] == one["boxes"]
    assert "nanodet-g" in fitted.report.html()


def test_a_saved_model_finds_the_same_in_a_fresh_process(
    fitted: tune.Model, photographs: Path, python: Any
) -> None:
    pictures = sorted((photographs / "test").glob("*.jpg"))
    code = """
import sys, supertune
from supertune.artifact.tensors import tensor_bytes
import hashlib
model = supertune.load(sys.argv[1])
print(hashlib.sha256(model.predictions(sys.argv[2:]).scored.tobytes()).hexdigest())
"""
    import hashlib

    done = python(code, str(photographs / "model"), *map(str, pictures), SUPERTUNE_THREADS="1")
    own = hashlib.sha256(fitted.predictions(list(map(str, pictures))).scored.tobytes()).hexdigest()
    assert done.stdout.strip() == own, done.stderr


def test_boxes_are_written_as_coco_and_drawn(
    fitted: tune.Model, photographs: Path, tmp_path: Path, supertune: Run
) -> None:
    found, drawn = tmp_path / "found.json", tmp_path / "drawn"
    model, pictures = photographs / "model", photographs / "test"
    keys = ("--coco", found, "--draw", drawn, "--threshold", "0.05")
    done = supertune("detect", model, pictures, *keys, "--json")
    assert done.code == 0, done
    assert done.answer["pictures"] == 4
    content = json.loads(found.read_text("utf-8"))
    assert [one["name"] for one in content["categories"]] == list(fitted.labels)
    assert len(content["images"]) == 4
    assert all(0 <= one["score"] <= 1 and one["area"] >= 0 for one in content["annotations"])
    shown = sum(one["score"] >= 0.05 for one in content["annotations"])
    assert abs(shown - done.answer["boxes"]) <= 1  # scores are rounded
    assert len(list(drawn.glob("*.jpg"))) == 4
    again = supertune("detect", model, pictures, "--coco", found, "--json")
    assert (again.code, again.error["code"]) == (2, "output_exists")


def test_what_was_written_as_coco_is_read_as_boxes(
    fitted: tune.Model, photographs: Path, tmp_path: Path
) -> None:
    coco = tmp_path / "test.json"
    tune.detect(fitted, photographs / "test", coco=coco, threshold=0.0)
    for one in (photographs / "test").glob("*.jpg"):
        (tmp_path / one.name).write_bytes(one.read_bytes())
    scored = fitted.evaluate(coco)
    assert scored["metrics"]["map50"]["value"] > 0.9  # its own answers are right by themselves


def test_predictions_go_beside_the_names_of_files(
    fitted: tune.Model, photographs: Path, tmp_path: Path, supertune: Run
) -> None:
    output = tmp_path / "found.csv"
    done = supertune("predict", photographs / "model", photographs / "test", "-o", output)
    assert done.code == 0, done
    lines = output.read_text("utf-8").splitlines()
    assert lines[0] == "file,count,boxes"
    assert len(lines) == 5


def test_a_model_of_texts_finds_no_boxes(supertune: Run, tmp_path: Path) -> None:
    rows = [("good film", "good"), ("bad film", "bad")] * 6
    tune.fit(rows, output=tmp_path / "texts", method="bag_of_words", folds=2, repeats=1)
    done = supertune("detect", tmp_path / "texts", tmp_path, "--json")
    assert (done.code, done.error["code"]) == (2, "no_detector")


def test_a_graph_finds_the_same_without_supertune_or_torch(
    fitted: tune.Model, photographs: Path, supertune: Run, tmp_path: Path
) -> None:
    done = supertune(
        "export", fitted.folder, "--to", tmp_path / "g", "--format", "onnx", "--json"
    ).answer
    assert done["difference"] <= 1e-4
    assert (done["rows"], done["answers_changed"]) == (6, 0)
    pictures = [str(path) for path in sorted((photographs / "test").glob("*.jpg"))]
    program = tmp_path / "g" / "predict.py"
    for name in ("supertune", "torch"):
        assert f"import {name}" not in program.read_text("utf-8")
    ran = subprocess.run([sys.executable, str(program), *pictures], capture_output=True, check=True)
    found = [json.loads(line)["boxes"] for line in ran.stdout.splitlines()]
    assert sum(map(len, found)) > 0
    answers = fitted.predictions(pictures)
    assert isinstance(answers, Detections)
    for theirs, ours in zip(found, answers.found(), strict=True):
        assert [one["label"] for one in theirs] == [one["label"] for one in ours]
        for one, other in zip(theirs, ours, strict=True):
            np.testing.assert_allclose(one["score"], other["score"], atol=2e-4)
            np.testing.assert_allclose(one["box"], other["box"], atol=0.1)


def test_a_detector_becomes_a_graph_alone_and_only_what_was_tuned(
    fitted: tune.Model, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        tune.export(fitted, tmp_path / "plain", format="merged")
    assert caught.value.code == "engine_cannot_export"
    assert "--format onnx" in str(caught.value)
    untuned = replace(fitted, tuned=SimpleNamespace(tuned_parameters=0))
    with pytest.raises(InputError) as caught:
        tune.export(untuned, tmp_path / "graph", format="onnx")
    assert caught.value.code == "no_onnx"
    assert list(tmp_path.iterdir()) == []
