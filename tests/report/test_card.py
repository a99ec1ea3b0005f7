from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from supertune.report import markdown

Report = dict[str, Any]


def front(card: str) -> dict[str, Any]:
    _, matter, _ = card.split("---\n", 2)
    loaded = yaml.safe_load(matter)
    assert isinstance(loaded, dict)
    return loaded


def test_the_front_matter_is_what_the_hub_reads(sample: Report) -> None:
    assert front(markdown(sample)) == {
        "library_name": "supertune",
        "pipeline_tag": "text-classification",
        "base_model": "minilm",
        "tags": ["supertune", "few-shot", "text-classification", "linear_probe"],
        "metrics": ["accuracy", "precision", "recall", "f1", "brier_score"],
    }


def test_a_backbone_in_a_local_folder_is_no_base_model_and_shows_no_path(hostile: Report) -> None:
    hostile["commands"] = {}
    card = markdown(hostile)
    assert "base_model" not in front(card)
    assert "/mnt/" not in card


def test_a_model_without_a_backbone_says_so(sample: Report) -> None:
    card = markdown(sample | {"backbone": None, "backbone_sha256": None, "method": "bag_of_words"})
    assert "base_model" not in front(card)
    assert "`bag_of_words`, without a backbone" in card


def test_the_card_gives_score_baseline_and_classes_with_intervals(sample: Report) -> None:
    card = markdown(sample).replace("\\", "").replace("\u00a0", " ")
    assert "| This model, test file | .90 [.86, .92] | 400 |" in card
    assert "| TF-IDF + logistic regression | .62 [.57, .67] | 400 |" in card
    assert "| tech | .83 [.71, .90] | .84 [.73, .91] |" in card
    assert sample["verdict"]["text"] in card


def test_the_card_says_whether_the_folder_holds_rows(sample: Report) -> None:
    assert "**This folder holds some of the rows it was made from**: 11" in markdown(sample)
    sample["data"]["holds_rows"] = False
    assert "hold no text of any row" in markdown(sample)


def test_no_text_of_a_row_is_in_the_card(sample: Report) -> None:
    card = markdown(sample)
    texts = [r["text"] for r in sample["rows"]] + [s["article"] for s in sample["data"]["samples"]]
    assert not [text for text in texts if text[:30] in card]


def test_hostile_names_neither_end_the_front_matter_nor_become_markup(hostile: Report) -> None:
    hostile["method"] = 'x"\n---\nlicense: none'
    hostile["backbone"] = None
    hostile["commands"] = {}
    card = markdown(hostile)
    assert front(card)["tags"][-1] == 'x"\n---\nlicense: none'
    body = card.split("\n---\n", 1)[1]
    assert "<script" not in body
    assert "<img" not in body
    assert "[x](javascript" not in body
    assert "\n# heading" not in body
    tables = [line for line in body.splitlines() if line.startswith("| ") and "bold" in line]
    assert {line.replace("\\|", "").count("|") for line in tables} == {6}
    card.encode("utf-8")


def test_a_command_with_backticks_stays_in_its_fence(sample: Report) -> None:
    sample["commands"]["predict"] = "supertune predict '```' new.csv"
    assert "````sh\nsupertune predict '```' new.csv\n````" in markdown(sample)


@pytest.mark.parametrize("kept", [(), ("task", "method"), ("estimate", "metric")])
def test_a_report_with_parts_missing_still_makes_a_card(
    kept: tuple[str, ...], sample: Report
) -> None:
    card = markdown({key: sample[key] for key in kept})
    assert front(card)["library_name"] == "supertune"
    assert "None" not in card


def test_equal_reports_give_equal_cards(sample: Report) -> None:
    assert markdown(sample) == markdown(copy.deepcopy(sample))
