"""Every recipe runs as its first line says, and scores what it says to expect."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from supertune.cli.main import main

RECIPES = sorted((Path(__file__).resolve().parents[1] / "recipes").glob("*.yaml"))


def test_there_is_a_recipe_of_the_main_job() -> None:
    assert "text_classification" in {path.stem for path in RECIPES}


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_scores_what_its_first_lines_promise(
    path: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    opening = path.read_text("utf-8")
    command = re.search(r"^# supertune fit --recipe (\S+)", opening)
    assert command
    assert command[1] == f"recipes/{path.name}"
    expected = re.search(r"Expect ([\w@]+) ([\d.]+) \[([\d.]+), ([\d.]+)\]", opening)
    assert expected
    scale = 1 if "." in expected[2] else 100  # scores of translations go up to 100
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--recipe", str(path), "-o", "model", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metric"] == expected[1]
    judged = found["test"] or found["estimate"]
    value, low, high = (float(expected[place]) for place in (2, 3, 4))
    # Another machine's arithmetic may move a row or two.
    assert abs(judged["value"] - value) < 0.015 * scale
    assert abs(judged["low"] - low) < 0.02 * scale
    assert abs(judged["high"] - high) < 0.02 * scale
