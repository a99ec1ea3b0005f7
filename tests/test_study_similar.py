"""The study of similar items: what it computes from draws, and what its texts may not tell."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def study() -> Any:
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(ROOT)
    yield importlib.import_module("benchmarks.study_similar")
    patch.undo()


def drawn(text: str, picture: str, both: str) -> dict[str, Any]:
    place = {"data": "tux-stamps", "backbone": "efficientnet-lite0", "chance": 0.1}
    return {**place, "text": text, "picture": picture, "both": both}


def test_a_gain_is_kept_only_where_its_interval_lies_above_nothing(study):
    surely = study.figures([drawn("22222222", "11111111", "33333333")])
    gains = [one for one in surely if "gain" in one.name]
    assert [one.value for one in gains] == pytest.approx([0.2, 0.4])
    assert [one.met for one in gains] == [True, True]
    hardly = study.figures([drawn("05050505", "00000000", "50505055")])
    assert [one.met for one in hardly if "gain" in one.name] == [False, True]


def test_another_backbone_is_reported_and_promises_nothing(study):
    found = study.figures([{**drawn("22", "11", "33"), "backbone": "dinov2-small"}])
    assert all(one.met is None for one in found)


def test_the_saved_study_has_both_above_either_for_every_stamp_counted_once(study):
    saved = json.loads((ROOT / "benchmarks" / "results" / "study_similar.json").read_text("utf-8"))
    assert saved["whole"]
    assert saved["how"] == study.STUDY.how
    (draw, *_) = saved["draws"]
    assert {len(draw[kind]) for kind in study.KINDS} == {draw["items"]}
    assert [one["met"] for one in saved["figures"] if one["target"]] == [True, True]
