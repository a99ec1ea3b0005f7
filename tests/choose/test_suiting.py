"""The catalogue in the order in which it suits some rows, from facts alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import supertune
from supertune.catalogue import entries
from supertune.errors import InputError

ENGLISH = [
    row
    for day in ("Monday", "Tuesday", "Friday", "Sunday")
    for row in (
        {"text": f"It was the best of the films that I have seen on {day}", "label": "good"},
        {"text": f"This is not what we paid for and it was late on {day}", "label": "bad"},
    )
]
FRENCH = [
    {"text": "Le film est très beau et je ne suis pas déçu du tout", "label": "bon"},
    {"text": "Elle n'est pas venue et le repas était froid", "label": "mauvais"},
] * 4


def ranked(rows: Any, **options: Any) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in supertune.suited(rows, **options).data["models"]}


def test_every_model_of_the_catalogue_is_told_those_that_suit_first() -> None:
    found = list(ranked(ENGLISH).values())
    assert {one["name"] for one in found} == {entry.name for entry in entries.models()}
    assert [one["suits"] for one in found] == sorted((one["suits"] for one in found), reverse=True)
    assert found[0]["name"] == "minilm"
    assert all(one["against"] for one in found if not one["suits"])


def test_a_backbone_that_does_not_know_the_language_comes_with_that_reason() -> None:
    found = ranked(FRENCH)
    assert next(iter(found)) == "e5-small"
    assert found["minilm"]["against"] == ["trained on en; the rows look like fr"]


def test_long_rows_memory_and_time_are_told() -> None:
    short, long = ranked(ENGLISH), ranked([{**ENGLISH[0], "text": "good words " * 400}, *ENGLISH])
    assert long["minilm"]["seconds"] > 2 * short["minilm"]["seconds"] > 0
    assert any("1 of 9 rows longer than the 256 tokens" in why for why in long["minilm"]["for"])
    narrow = ranked(ENGLISH, memory_limit=700_000_000)
    assert narrow["minilm"]["suits"]
    assert "GB of memory" in narrow["e5-small"]["against"][0]


def test_a_folder_that_is_none_says_why_and_does_not_stop_the_others(tmp_path: Path) -> None:
    found = ranked(ENGLISH, backbones=[str(tmp_path)])
    assert not found[str(tmp_path)]["suits"]
    assert found[str(tmp_path)]["against"][0]
    assert found["minilm"]["suits"]


def test_rows_that_a_fit_would_refuse_are_refused() -> None:
    with pytest.raises(InputError):
        supertune.suited([{"text": "only one", "label": "a"}])


def test_a_plan_says_the_same_of_the_backbones_that_it_would_try() -> None:
    planned = supertune.plan(ENGLISH)
    assert [one["name"] for one in planned.data["backbones"]] == ["minilm", "e5-small"]
    assert "Apache-2.0" in planned.text()
