"""Folders of transformers' translators from the command line: as they are, tuned, in a new process.

Tiny ones, taught for a moment: what is shown is that the way holds, never what they are worth.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Run
from tests.tiny_translators import PAIRS

TEXTS = ["Open the file.", "Move the window with the mouse.\n\nSave."]
NLLB = ("--source-language", "eng_Latn", "--target-language", "por_Latn")


@pytest.fixture
def folders(translator_folder: Callable[[str], Path], tmp_path: Path) -> dict[str, Path]:
    for name, rows in (("pairs", PAIRS[:7]), ("test", PAIRS[7:])):
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("source", "target"), *rows])
    made = {name: translator_folder(name) for name in ("marian", "nllb")}
    return {**made, "pairs": tmp_path / "pairs.csv"}


def test_a_folder_translates_as_it_is_greedily_and_with_a_beam(
    folders: dict[str, Path], supertune: Run
) -> None:
    found = {}
    for beams in ("1", "3"):
        done = supertune("translate", str(folders["marian"]), *TEXTS, "--beams", beams,
                         "--json", "--threads", "1")  # fmt: skip
        assert done.code == 0, done.err
        found[beams] = json.loads(done.out)["translations"]
    for rows in found.values():
        assert [row["source"] for row in rows] == TEXTS
        assert rows[1]["translation"].count("\n\n") == 1
        assert all(row["surety"] <= 0 for row in rows)
    assert "Abra" in found["1"][0]["translation"]


def test_languages_are_options_and_missing_ones_are_named(
    folders: dict[str, Path], supertune: Run
) -> None:
    done = supertune("translate", str(folders["nllb"]), *TEXTS, *NLLB, "--json", "--threads", "1")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["translations"]) == 2
    done = supertune("translate", str(folders["nllb"]), "Save.", "--json", "--threads", "1")
    assert (done.code, done.error["code"]) == (2, "language_missing")
    assert "por_Latn" in done.error["allowed"] or "more" in done.error["allowed"]


def test_a_fit_keeps_its_languages_and_answers_in_a_new_process_to_the_letter(
    folders: dict[str, Path], supertune: Run, tmp_path: Path, python: Any
) -> None:
    model = tmp_path / "model"
    done = supertune(
        "fit", str(folders["pairs"]), "--task", "translation", "--backbone", str(folders["nllb"]),
        "--method", "lora", "-o", str(model),
        "--set", "source_language=eng_Latn", "--set", "target_language=por_Latn",
        "--test", str(folders["pairs"].with_name("test.csv")), "--set", "epochs=1",
        "--set", "advice=false", "--threads", "1", "--time-limit", "10m", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    done = supertune("translate", str(model), *TEXTS, "--json", "--threads", "1")
    assert done.code == 0, done.err
    here = [row["translation"] for row in json.loads(done.out)["translations"]]
    code = (
        "import sys, json, supertune; m = supertune.load(sys.argv[1], threads=1); "
        "print(json.dumps(m.predict(json.loads(sys.argv[2])).tolist()))"
    )
    other = python(code, str(model), json.dumps(TEXTS))
    assert other.returncode == 0, other.stderr
    assert json.loads(other.stdout) == here
    refused = supertune("translate", str(model), "Save.", *NLLB, "--json", "--threads", "1")
    assert (refused.code, refused.error["code"]) == (2, "languages_settled")
    told = supertune("explain", str(model), "Open the file.", "--threads", "1", "--json")
    assert told.code == 0, told.err
    (one,) = json.loads(told.out)["explanations"]
    assert one["answer"]["translation"] == here[0]
    assert [word["text"] for word in one["words"]]
