"""``supertune demo``: the main job on real data, and how to do it with one's own file."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.conftest import Run

import supertune as product
from supertune.cli import demo


@pytest.mark.slow
def test_it_fits_the_news_over_an_earlier_model_and_says_how_to_go_on(
    supertune: Run, here: Path, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The candidates that run however little time there is, judged on fewer rows.
    monkeypatch.setattr(demo, "TIME_LIMIT", 1.0)
    monkeypatch.setattr(demo, "DRAW", {**demo.DRAW, "test_rows": 30})
    shutil.copytree(words, "demo-model")
    done = supertune("demo", "--json")
    assert (done.code, done.err) == (0, "")
    answer = done.answer
    assert (answer["rows"], answer["test"]["rows"]) == (40, 30)
    assert len(answer["labels"]) == 5
    assert answer["test"]["low"] > answer["baselines"]["majority"]["high"]
    assert "supertune fit YOUR-FILE.csv" in " ".join(answer["next"])
    assert os.listdir(here) == ["demo-model"]
    report = json.loads((here / "demo-model" / "report.json").read_text("utf-8"))
    assert report["test"] == answer["test"]
    model = product.load(here / "demo-model")
    assert model.predict(["The striker scored twice in the cup final."]).tolist() == ["sports"]


def test_it_replaces_nothing_but_a_model(supertune: Run, here: Path) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "letter.txt").write_text("dear")
    refused = supertune("demo", "-o", "mine", "--json")
    assert (refused.code, refused.error["code"]) == (2, "output_not_a_model")
    assert os.listdir(here / "mine") == ["letter.txt"]


def test_it_draws_400_unseen_articles() -> None:
    assert demo.DRAW == {"dataset": "bbc-news", "per_class": 8, "test_rows": 400, "seed": 0}
    assert demo.TIME_LIMIT < 60
