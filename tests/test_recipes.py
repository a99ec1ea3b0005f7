"""Every recipe runs as its first line says, and scores what it says to expect."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from supertune.cli.main import main
from supertune.config import read_recipe, recipe

ROOT = Path(__file__).resolve().parents[1]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
# Takes minutes: tests/cli/test_voices.py runs it on fewer recordings, and what it promises is a
# draw of a study.
LONG = {"text_to_speech"}


def test_there_is_a_recipe_of_the_main_job() -> None:
    assert "text_classification" in {path.stem for path in RECIPES}


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [one for one in RECIPES if one.stem not in LONG], ids=lambda path: path.stem
)
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


def test_the_recipe_of_a_voice_promises_what_its_draw_of_the_study_has() -> None:
    path = ROOT / "recipes" / "text_to_speech.yaml"
    opening, told = path.read_text("utf-8"), read_recipe(path)
    assert opening.startswith(f"# supertune fit --recipe recipes/{path.name} ")
    assert recipe({key: value for key, value in told.items() if key != "data"})
    draws = json.loads((ROOT / "benchmarks/results/study_voice.json").read_text("utf-8"))["draws"]
    wanted = told["data"]
    assert (wanted["dataset"], wanted["words"]) == ("prompts-en", 3)
    (draw,) = (
        one
        for one in draws
        if (one.get("method"), one.get("seed")) == (told["method"], wanted["seed"])
        and (one["learned"], one["test"]) == (wanted["train_rows"], wanted["test_rows"])
    )
    found = draw["figures"]["similarity"]
    values = [f"{found['tuned'][name]:.2f}".replace("0.", ".") for name in ("value", "low", "high")]
    untuned = f"{found['untuned']['value']:.2f}".replace("0.", ".")
    assert "Expect similarity {} [{}, {}] on {} sentences".format(*values, draw["judged_on"]) in (
        opening
    )
    assert f"({untuned} untuned)" in opening
