"""A voice from the command line, on real prompts: fit, speak, reload; and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny_voices
from tests.conftest import Run
from tests.tiny_voices import needs_espeak

import supertune as tune
from supertune.catalogue.corpora import dataset
from supertune.cli.main import main

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "text_to_speech.yaml"
CONSENT = "The speaker of these prompts published them under CC-BY-SA for such use."
LEARNED = ("agent-loginok", "vm-goodbye", "conf-kicked", "agent-loggedoff")
JUDGED = ("conf-onlyperson", "agent-incorrect")


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory, own_activations: Path) -> Path:
    """Two tables of real prompts with what they say, and a third of two speakers."""
    folder = dataset("prompts-en")
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as stream:
        said = {row["audio"].removesuffix(".wav"): row["text"] for row in csv.DictReader(stream)}
    made = tmp_path_factory.mktemp("voices")
    for name, keys in (("train", LEARNED), ("test", JUDGED)):
        rows = [(str(folder / f"{key}.wav"), said[key]) for key in keys]
        _table(made / f"{name}.csv", ("audio", "text"), rows)
    both = [(str(folder / f"{key}.wav"), said[key], who) for key, who in zip(LEARNED, "aabb")]
    _table(made / "crowd.csv", ("audio", "text", "speaker"), both)
    _table(made / "mute.csv", ("audio", "note"), [(one[0], 3) for one in both])
    return made


def _table(place: Path, names: Any, rows: Any) -> None:
    with place.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([names, *rows])


@pytest.fixture(scope="module")
def fitted(prompts: Path) -> tune.Model:
    """By the recipe, on few recordings of one's own: its own 60 take minutes."""
    given = [prompts / "train.csv", "--test", prompts / "test.csv", "--recipe", RECIPE]
    rest = ["-o", prompts / "model", "--consent", CONSENT, "--set", "tract=1.18", "--json"]
    assert main(["fit", *map(str, given), *map(str, rest)]) == 0
    return tune.load(prompts / "model")


@needs_espeak
@pytest.mark.slow
def test_a_voice_is_judged_by_words_pitch_and_likeness(fitted: tune.Model, prompts: Path) -> None:
    report = json.loads((prompts / "model" / "report.json").read_text("utf-8"))
    assert report["metric"] == "similarity"
    assert set(report["baselines"]) == {"untuned", "pitch_shift"}
    told = report["voicing"]["figures"]
    assert told["similarity"]["change"]["value"] > 0
    assert told["pitch_gap"]["tuned"]["value"] < 0.4 * told["pitch_gap"]["untuned"]["value"]
    assert report["test"]["value"] > report["baselines"]["untuned"]["value"]
    sides = report["spoken"]["sentences"][0]["sides"]
    assert [side["name"] for side in sides] == ["before", "after", "the speaker"]
    page = (prompts / "model" / "report.html").read_text("utf-8")
    assert "Synthetic speech" in page
    assert page.count("data:audio/ogg") >= 6


@needs_espeak
@pytest.mark.slow
def test_the_card_holds_the_speakers_agreement(fitted: tune.Model, prompts: Path) -> None:
    card = (prompts / "model" / "README.md").read_text("utf-8")
    assert CONSENT in card
    assert "Synthetic speech" in card


@needs_espeak
@pytest.mark.slow
def test_a_model_speaks_after_it_is_loaded_as_before(
    fitted: tune.Model, prompts: Path, supertune: Run, tmp_path: Path
) -> None:
    before = tune.speak(fitted, "Please hold the line.")
    again = tune.speak(prompts / "model", "Please hold the line.")
    np.testing.assert_array_equal(before["samples"], again["samples"])
    untuned = tune.speak("piper-joe", "Please hold the line.")
    assert len(untuned["samples"]) != len(before["samples"])
    done = supertune("speak", prompts / "model", "Hello.", "-o", tmp_path / "a.flac", "--json")
    assert done.code == 0
    assert "Synthetic speech" in done.answer["notice"]


@pytest.mark.parametrize(
    ("table", "given", "code"),
    [
        ("train.csv", [], "consent_missing"),
        ("train.csv", ["--consent", "yes"], "consent_missing"),
        ("crowd.csv", ["--consent", CONSENT], "several_speakers"),
        ("mute.csv", ["--consent", CONSENT], "no_transcripts"),
        ("none.csv", ["--consent", CONSENT], "file_missing"),
        ("train.csv", ["--consent", CONSENT, "--backbone", "whisper-base"], None),
        ("train.csv", ["--consent", CONSENT, "--method", "lora"], "method_does_not_fit"),
        ("train.csv", ["--consent", CONSENT, "--metric", "accuracy"], "unknown_metric"),
        ("train.csv", ["--consent", CONSENT, "--max-error", "5%"], "no_max_error"),
        ("train.csv", ["--consent", CONSENT, "--set", "tract=9"], None),
        ("train.csv", ["--consent", CONSENT, "--set", "cost_matrix=[[0,1],[1,0]]"], "no_costs"),
    ],
)
def test_what_no_voice_can_be_learned_from_is_refused(
    prompts: Path, supertune: Run, tmp_path: Path, table: str, given: list[str], code: str | None
) -> None:
    voice = tiny_voices.vits(tmp_path / "tiny-random-vits")
    backbone = [] if "--backbone" in given else ["--backbone", voice]
    method = [] if "--method" in given else ["--method", "voice_map"]
    done = supertune(
        "fit", prompts / table, "--task", "text_to_speech", "-o", tmp_path / "model",
        *backbone, *method, *given, "--json",
    )  # fmt: skip
    assert done.code == 2
    assert code is None or done.error["code"] == code
    assert done.error["next"]
    assert not (tmp_path / "model").exists()
