"""Tuning of what writes down speech: where it begins, what it reads, and what is proved before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supertune import registry
from supertune.catalogue.corpora import dataset
from supertune.catalogue.entries import model
from supertune.config import Recipe, method_options
from supertune.contracts import Examples, GradientMethod, Recording
from supertune.contracts.speech import TRANSCRIPT
from supertune.pipeline import Workshop
from supertune.training import transcribing, worded

SAID = {
    "agent-loginok.wav": "Agent logged in.",
    "conf-kicked.wav": "You have been kicked from this conference.",
    "vm-goodbye.wav": "Goodbye.",
}
OFFER = model("whisper-base").offer  # type: ignore[union-attr]


def options(name: str, **given: Any) -> Any:
    recipe = Recipe(task="speech_to_text", method=name, options=given)
    return method_options(recipe, name)


@pytest.mark.parametrize(
    ("name", "given", "blocks"),
    [
        ("lora", {}, (6, 7, 8, 9, 10, 11)),
        ("lora", {"blocks": "decoder"}, (6, 7, 8, 9, 10, 11)),
        ("lora", {"blocks": "all"}, tuple(range(12))),
        ("adapter", {"blocks": [9, 3]}, (3, 9)),
        ("top_blocks", {"count": 2}, (10, 11)),
        ("top_blocks", {"count": 7}, tuple(range(5, 12))),
    ],
)
def test_blocks_are_the_decoders_unless_more_is_asked_for(
    name: str, given: dict[str, Any], blocks: tuple[int, ...]
) -> None:
    method: Any = registry.method(name)
    assert isinstance(method, GradientMethod)
    assert worded.injected(method, OFFER, options(name, **given)).blocks == blocks


def test_a_method_has_the_keys_of_this_loop() -> None:
    keys = set(type(options("lora")).model_fields)
    assert {"rank", "window", "epochs"} <= keys
    assert not {"head_start", "readout", "r_drop"} & keys


def test_batches_hold_every_row_once_and_like_lengths_together() -> None:
    lengths = np.arange(1, 41)
    rng = np.random.default_rng(0)
    batches = worded.batches(rng, lengths, 8)
    assert sorted(row for batch in batches for row in batch) == list(range(40))
    spans = [np.ptp(lengths[batch]) for batch in batches]
    assert np.mean(spans) < 20 < np.ptp(lengths)


@pytest.fixture(scope="module")
def problem(own_activations: Path) -> Any:
    folder = dataset("prompts-en")
    inputs = tuple(Recording.of((folder / name).read_bytes(), name) for name in SAID)
    texts = np.array(list(SAID.values()))
    rows = Examples(inputs, texts, TRANSCRIPT, np.arange(1, 4))
    recipe = Recipe(task="speech_to_text", backbone="whisper-base", threads=1, precision="fp32")
    return Workshop(recipe).problem(rows, "whisper-base")


def test_a_short_window_is_taken_where_it_is_proved_to_do(problem: Any) -> None:
    windows, proof = transcribing._windows(problem, problem.lens, "auto", "en")
    assert proof["rows"] == 3
    assert proof["short"] <= proof["whole"] + transcribing.WORSE
    assert windows == (10.0, 20.0, 30.0)
    assert proof["seconds"] == 10.0
    assert transcribing._windows(problem, problem.lens, "whole", "en") == ((30.0,), {})
    assert transcribing._windows(problem, problem.lens, 15.0, "en")[0] == (15.0, 20.0, 30.0)


def test_a_short_window_is_left_where_words_are_lost(
    problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcribing, "WORSE", -2.0)
    assert transcribing._windows(problem, problem.lens, "auto", "en")[0] == (30.0,)


@pytest.mark.parametrize(
    ("name", "given"), [("lora", {"rank": 2}), ("decoder_prompts", {"tokens": 4})]
)
def test_tuning_makes_transcripts_likelier_and_is_the_same_once_restored(
    problem: Any, name: str, given: dict[str, int]
) -> None:
    method: Any = registry.method(name)
    asked = options(name, epochs=3, batch_size=2, window=5.0, **given)
    tuned = transcribing.train(method, problem, asked)
    again = transcribing.train(method, problem, asked)
    assert tuned.losses[-1][1] < tuned.losses[0][1]
    assert tuned.language == "en"
    for name, array in tuned.tunable.kept.items():
        np.testing.assert_array_equal(array, again.tunable.kept[name])
    assert transcribing.verified(method, problem, asked, tuned) == ()


def test_half_of_the_way_ends_between_the_start_and_the_whole(problem: Any) -> None:
    method: Any = registry.method("bitfit")
    start, half, whole = (
        transcribing.train(
            method,
            problem,
            options("bitfit", epochs=1, batch_size=3, window=5.0, interpolation=share),
        ).tunable.kept
        for share in (1e-9, 0.5, 1.0)
    )
    moved = 0.0
    for name in whole:
        middle = start[name] + 0.5 * (whole[name] - start[name])
        np.testing.assert_allclose(half[name], middle, atol=1e-6)
        moved += float(np.abs(whole[name] - start[name]).sum())
    assert moved > 0


def test_row_weights_count(problem: Any) -> None:
    method: Any = registry.method("bitfit")
    asked = options("bitfit", epochs=1, batch_size=3, window=5.0)
    heavy = replace(problem, examples=replace(problem.examples, weights=np.array([2.8, 0.1, 0.1])))
    plain, weighed = (transcribing.train(method, one, asked) for one in (problem, heavy))
    assert plain.losses[0][1] != weighed.losses[0][1]
