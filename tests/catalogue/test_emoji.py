"""Emoji with their names, and the model that was pre-trained on most of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from supertune.catalogue import emoji_diffusion
from supertune.catalogue.emoji import HELD_OUT, Emoji, emoji, held_out
from supertune.catalogue.entries import model
from supertune.catalogue.packages import sha256_of
from supertune.catalogue.resolve import resolve

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
SHIPPED = Path(emoji_diffusion.__file__).parent


@pytest.fixture(scope="module")
def rows() -> list[Emoji]:
    return emoji()


def test_every_emoji_has_a_name_and_a_family(rows: list[Emoji]) -> None:
    assert len(rows) == 1911
    clock = next(one for one in rows if one.words == "clock face one oclock")
    assert (clock.category, clock.family) == ("Travel & Places", "time")
    assert all(one.words and one.family.strip() for one in rows)


def test_two_categories_and_a_tenth_of_each_other_are_held_out(rows: list[Emoji]) -> None:
    all_of, kept_out = Counter(), Counter()
    for one in rows:
        all_of[one.category] += 1
        kept_out[one.category] += held_out(one)
    shares = {name: kept_out[name] / count for name, count in all_of.items()}
    assert sorted(name for name, share in shares.items() if share == 1) == ["Flags", "Food & Drink"]
    others = {name for name, share in shares.items() if share < 1} - {"Component"}
    assert all(0.1 <= shares[name] <= 0.16 for name in others)
    families = {(one.category, one.subcategory) for one in rows}
    assert all(
        (category, family) in families
        for category, held in HELD_OUT.items()
        for family in held or ()
    )


def test_the_shipped_model_is_small_pinned_and_has_a_log() -> None:
    weights = SHIPPED / WEIGHTS
    entry = model("emoji-diffusion")
    assert entry is not None
    assert weights.stat().st_size <= 10_000_000
    assert sha256_of(weights) == entry.weights_sha256
    log = [json.loads(line) for line in (SHIPPED / "training_log.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in log]
    assert steps == sorted(steps)
    assert log[-1]["loss"] < 0.5 * log[0]["loss"]
    assert f"{steps[-1]:,} steps" in (SHIPPED / "README.md").read_text("utf-8")


def test_the_resolved_folder_is_a_pipeline_of_diffusers() -> None:
    folder = resolve("emoji-diffusion").folder
    index = json.loads((folder / "model_index.json").read_text())
    parts = [name for name, value in index.items() if isinstance(value, list)]
    assert sorted(parts) == ["scheduler", "text_encoder", "tokenizer", "unet"]
    assert all((folder / part).is_dir() for part in parts)
    minilm = resolve("minilm").folder / "model.safetensors"
    assert sha256_of(folder / "text_encoder/model.safetensors") == sha256_of(minilm)


def test_it_denoises_better_by_the_right_words_than_by_others(rows: list[Emoji]) -> None:
    from supertune.config import recipe
    from supertune.contracts.diffusion import Noise, Still
    from supertune.pipeline import Workshop

    lens = Workshop(recipe({"task": "image_generation", "backbone": "emoji-diffusion"})).lens(
        "emoji-diffusion"
    )
    assert lens is not None
    backbone = lens.backbone
    known = [one for one in rows if not held_out(one)][::60]
    stills = [Still(one.picture, 32) for one in known]
    latents = backbone.activations(stills, 1)
    noise = Noise(np.linspace(100, 900, 8).astype(np.int64), tuple(range(8)), (1,) * 8)
    others = [*known[1:], known[0]]
    right = [
        backbone.judged(x, one.words, noise).mean() for x, one in zip(latents, known, strict=True)
    ]
    wrong = [
        backbone.judged(x, one.words, noise).mean() for x, one in zip(latents, others, strict=True)
    ]
    assert np.mean(np.array(right) < np.array(wrong)) >= 0.75
