"""`supertune.fit` and what it returns, as Python code uses them."""

from __future__ import annotations

import hashlib
import inspect
import json
import pydoc
import random
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import QUICK, Files

import supertune
from supertune.artifact import weights_sha256
from supertune.config import recipe
from supertune.pipeline import open_backbone, reference

PROBE = {"method": "linear_probe", "backbone": "minilm", "folds": 2, "repeats": 1}


@pytest.mark.parametrize("name", ["fit", "load", "plan", "compare"])
def test_help_explains_every_argument_with_its_type(name: str) -> None:
    function = getattr(supertune, name)
    text = pydoc.plain(pydoc.render_doc(function))
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty
        if name != "plan":  # whose arguments are those of fit, and it says so
            assert parameter.name in text.split("Args:", 1)[-1], parameter.name
    assert "Raises:" in text
    assert max(map(len, inspect.getdoc(function).split("\n"))) <= 100


def test_every_method_of_a_model_is_documented_and_typed() -> None:
    names = ("predict", "predict_proba", "predictions", "evaluate", "stream", "save")
    for name in names:
        method = getattr(supertune.Model, name)
        assert inspect.getdoc(method)
        assert inspect.signature(method).return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("options", [QUICK, PROBE], ids=["words", "probe"])
@pytest.mark.slow
def test_the_order_of_the_rows_changes_no_weight(reviews: Files, options: dict) -> None:
    shuffled = list(reviews.rows)
    random.Random(1).shuffle(shuffled)
    sums = {
        weights_sha256(supertune.fit(rows, **options).tuned.state().arrays)
        for rows in (list(reviews.rows), shuffled, list(reversed(reviews.rows)))
    }
    assert len(sums) == 1


def test_rows_of_any_kind_give_the_same_model(reviews: Files) -> None:
    import pandas as pd

    frame = pd.DataFrame(reviews.rows, columns=["sentence", "mood"])
    dicts = [{"text": text, "label": label} for text, label in reviews.rows]
    sums = {
        weights_sha256(supertune.fit(rows, **QUICK).tuned.state().arrays)
        for rows in (reviews.train, str(reviews.train), frame, dicts, list(reviews.rows))
    }
    assert len(sums) == 1


_RUN = """
import hashlib, pathlib, sys, supertune
supertune.fit(sys.argv[1], output=sys.argv[2], method="linear_probe", backbone="minilm",
              folds=2, repeats=1, threads=1)
weights = pathlib.Path(sys.argv[2], "tuned.safetensors").read_bytes()
print(hashlib.sha256(weights).hexdigest())
"""


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(python, reviews: Files, tmp_path: Path) -> None:
    sums = set()
    for number in range(2):
        done = python(_RUN, str(reviews.train), str(tmp_path / f"m{number}"))
        assert done.returncode == 0, done.stderr
        sums.add(done.stdout.strip())
    assert len(sums) == 1


def test_a_fit_and_predictions_leave_the_backbone_as_it_was(reviews: Files) -> None:
    def digest() -> str:
        opened = open_backbone(reference("minilm"), recipe({}))
        total = hashlib.sha256()
        for name, tensor in sorted(opened.model.state_dict().items()):  # type: ignore[attr-defined]
            total.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
        return total.hexdigest()

    before = digest()
    for options in (PROBE, {**PROBE, "method": "lora", "rank": 2, "epochs": 1, "max_length": 16}):
        model = supertune.fit(list(reviews.rows), **options)
        model.predict(reviews.texts[:3])
        assert digest() == before


def test_progress_and_what_was_read_are_told(reviews: Files) -> None:
    stages: list[str] = []
    began: list[int] = []
    supertune.fit(
        reviews.train,
        **PROBE,
        progress=lambda stage, done, total: stages.append(stage),
        began=lambda reading, seconds: began.append(len(reading.train)),
    )
    assert stages[0] == "read rows"
    assert began == [20]


def test_without_an_output_nothing_is_written(reviews: Files, here: Path) -> None:
    model = supertune.fit(reviews.train, **QUICK)
    assert model.folder is None
    assert list(here.iterdir()) == []
    assert any("model.save" in step for step in model.report.data["next"])


def test_test_rows_may_have_labels_that_only_the_earlier_rows_have(
    words: Path, reviews: Files
) -> None:
    fresh = [row for row in reviews.held if row[1] == "negative"][:4]
    held = [row for row in reviews.held if row not in fresh][:20]
    model = supertune.fit(fresh, from_=words, test=held)
    assert model.labels == ("negative", "positive")
    right = model.predict([t for t, _ in held]) == np.array([y for _, y in held])
    assert model.report.data["test"]["value"] == pytest.approx(right.mean())


def test_the_report_is_that_of_the_json_file(words: Path) -> None:
    model = supertune.load(words)
    assert model.report.data == json.loads((words / "report.json").read_text("utf-8"))


def test_going_on_with_a_method_that_takes_no_backbone_leaves_the_earlier_one(
    probe: Path, reviews: Files
) -> None:
    new = [("A quiet and moving film.", reviews.rows[0][1])]
    model = supertune.fit(new, from_=probe, method="bag_of_words", folds=2, repeats=1)
    assert (model.method, model.backbone) == ("bag_of_words", None)
