"""Captions, pipelines and prompts that are refused, each by name, and nothing is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.bad_inputs.conftest import Bad, Make, Refused, both, file, snapshot
from tests.conftest import write_wugs
from tests.data.pictures.conftest import encoded, noise

import supertune
from supertune import opening
from supertune.errors import InputError

FIT = ("rows", "--task", "image_generation", "--backbone", "pixel", "--set", "folds=2")
CONCEPT = ("--concept", "a wug clock")


def wugs(here: Path) -> None:
    write_wugs(here / "rows", 3)


def asked(*more: str, method: str = "lora") -> tuple[str, ...]:
    return (*FIT, "--method", method, *more)


def broken(change: Callable[[Path], None]) -> Make:
    """Whole pictures, and a pipeline with something changed."""

    def make(here: Path) -> None:
        wugs(here)
        change(here / "pixel")

    return make


def listed(**changed: Any) -> Callable[[Path], None]:
    """Keys of model_index.json; None takes one out."""

    def change(folder: Path) -> None:
        path = folder / "model_index.json"
        held = {**json.loads(path.read_text("utf-8")), **changed}
        kept = {name: value for name, value in held.items() if value is not None}
        path.write_text(json.dumps(kept), encoding="utf-8")

    return change


def config(part: str, **changed: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        path = folder / part / name
        held = {**json.loads(path.read_text("utf-8")), **changed}
        path.write_text(json.dumps(held), encoding="utf-8")

    return change


def gone(*names: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for name in names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def truncated(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def pickled(folder: Path) -> None:
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.rename(path.with_suffix(".bin"))


def no_json(folder: Path) -> None:
    (folder / "unet" / "config.json").write_text("{", encoding="utf-8")


def no_words(folder: Path) -> None:
    for path in (folder / "tokenizer").iterdir():
        path.unlink()


def caption(cells: list[Any]) -> Make:
    def make(here: Path) -> None:
        wugs(here)
        rows = [{"image": f"rows/{i}.png", "caption": cell} for i, cell in enumerate(cells)]
        (here / "rows.json").write_text(json.dumps(rows), encoding="utf-8")

    return make


TABLE = ("rows.json", *FIT[1:], "--method", "lora", *CONCEPT)
OK = asked(*CONCEPT)
NEW_WORD = asked("--concept", "a wug clock", method="textual_inversion")

FITS: dict[str, Bad] = {
    "no pictures": Bad(
        "no_pictures_in_folder", both(file("x", "a.txt"), lambda h: (h / "rows").mkdir()), OK
    ),
    "no folder": Bad("file_missing", arguments=OK),
    "no caption": Bad("no_caption", wugs, asked(), "--concept"),
    "an empty concept": Bad("empty_concept", wugs, asked("--concept", "  ")),
    "a caption that is a number": Bad("bad_caption", caption(["a", 3, "b"]), TABLE, "row 2"),
    "a caption that is a list": Bad("bad_caption", caption(["a", ["b"], "c"]), TABLE, "row 2"),
    "a caption that is a book": Bad("caption_too_long", caption(["a " * 900, "b", "c"]), TABLE),
    "a caption that is no UTF-8": Bad(
        "caption_unreadable",
        both(wugs, lambda h: (h / "rows" / "0.txt").write_bytes(b"\xff\xfe\xff")),
        OK,
    ),
    "a column that is not there": Bad(
        "label_column_missing", caption(["a", "b", "c"]), (*TABLE, "--label", "captoin"), "caption"
    ),
    "a picture of few pixels": Bad(
        "picture_too_small",
        both(
            wugs, lambda h: (h / "rows" / "9.png").write_bytes(encoded(noise(1, 8).resize((4, 4))))
        ),
        OK,
        "4 x 4",
    ),
    "a template": Bad("picture_column_missing", wugs, (*OK, "--template", "{text}")),
    "classes to be weighed": Bad(
        "no_class_weights", wugs, (*OK, "--set", "class_weights=balanced")
    ),
    "a largest error": Bad("no_max_error", wugs, (*OK, "--max-error", "5%")),
    "a metric of labels": Bad("unknown_metric", wugs, (*OK, "--metric", "accuracy"), "skill"),
    "an option of labels": Bad(
        "option_does_not_serve", wugs, (*OK, "--set", "label_smoothing=0.1")
    ),
    "a start that changes weights": Bad(
        "option_does_not_serve", wugs, (*OK, "--set", "init=pissa")
    ),
    "a layer that is not there": Bad(
        "unknown_target", wugs, (*OK, "--set", 'targets=["to_x"]'), "to_q"
    ),
    "a method of labels": Bad("method_does_not_fit", wugs, asked(*CONCEPT, method="linear_probe")),
    "a word that is known": Bad("word_known", wugs, (*NEW_WORD, "--set", "word=clock")),
    "a word that is not said": Bad("word_not_in_captions", wugs, (*NEW_WORD, "--set", "word=dax")),
    "no new word": Bad(
        "word_unclear", wugs, asked("--concept", "a red clock", method="textual_inversion")
    ),
    "two new words": Bad(
        "word_unclear", wugs, asked("--concept", "a wug dax", method="textual_inversion")
    ),
    "a start that is no word": Bad("word_unknown", wugs, (*NEW_WORD, "--set", "start=時計")),
    "several pictures of a style": Bad(
        "several_styles", wugs, asked(*CONCEPT, method="style_norms"), "--blend"
    ),
    "a pipeline without a U-Net": Bad("pipeline_incomplete", broken(gone("unet")), OK, "unet"),
    "a list without a U-Net": Bad("pipeline_incomplete", broken(listed(unet=None)), OK, "unet"),
    "a pipeline without a scheduler": Bad(
        "pipeline_incomplete", broken(gone("scheduler")), OK, "scheduler"
    ),
    "a pipeline without its list": Bad("not_a_backbone", broken(gone("model_index.json")), OK),
    "a list that is no JSON": Bad(
        "pipeline_unreadable", broken(lambda f: (f / "model_index.json").write_text("{")), OK
    ),
    "a configuration that is no JSON": Bad("pipeline_unreadable", broken(no_json), OK, "unet"),
    "a transformer that denoises": Bad(
        "unknown_pipeline", broken(listed(transformer=["diffusers", "PixArt"])), OK, "transformer"
    ),
    "two text encoders": Bad(
        "unknown_pipeline", broken(listed(text_encoder_2=["transformers", "CLIPTextModel"])), OK
    ),
    "code of its own": Bad(
        "remote_code", broken(listed(unet=["my_code", "Mine"])), OK, "never run"
    ),
    "weights that are pickled": Bad("weights_pickled", broken(pickled), OK, "save_pretrained"),
    "no weights": Bad(
        "weights_missing", broken(gone("unet/diffusion_pytorch_model.safetensors")), OK
    ),
    "weights that are cut short": Bad("weights_damaged", broken(truncated), OK, "its header says"),
    "weights of other shapes": Bad(
        "weights_do_not_fit", broken(config("unet", block_out_channels=[8, 32])), OK
    ),
    "an unknown scheduler": Bad(
        "unknown_scheduler",
        broken(config("scheduler", _class_name="FlowMatchEulerDiscreteScheduler")),
        OK,
    ),
    "an unknown prediction": Bad(
        "unknown_prediction", broken(config("scheduler", prediction_type="flow")), OK, "flow"
    ),
    "channels that do not fit": Bad(
        "pipeline_parts_differ", broken(config("unet", in_channels=9)), OK, "9"
    ),
    "states that do not fit": Bad(
        "pipeline_parts_differ", broken(config("unet", cross_attention_dim=64)), OK, "64"
    ),
    "a U-Net that asks for classes": Bad(
        "pipeline_parts_differ", broken(config("unet", class_embed_type="timestep")), OK
    ),
    "a tokenizer without words": Bad("tokenizer_unreadable", broken(no_words), OK),
}


@pytest.mark.parametrize("name", FITS)
def test_a_bad_fit_is_refused(
    refused: Refused,
    here: Path,
    pixel_pipeline: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "_opened", {})  # each "pixel" here is another one
    bad = FITS[name]
    shutil.copytree(pixel_pipeline, here / "pixel")
    bad.make(here)
    refused("fit", *bad.arguments, "-o", "model", code=bad.code, said=bad.said)


DRAWN: dict[str, tuple[str, tuple[str, ...]]] = {
    "no model and no backbone": ("unknown_backbone", ("none", "a cat")),
    "a model of labels": ("no_painter", ("labels", "a cat")),
    "a backbone of texts": ("no_painter", ("minilm", "a cat")),
    "nothing to draw": ("bad_prompt", ("pixel", " ")),
    "no pictures": ("bad_count", ("pixel", "a cat", "--n", "0")),
    "too many pictures": ("bad_count", ("pixel", "a cat", "--n", "100000")),
    "a seed below zero": ("bad_seed", ("pixel", "a cat", "--seed", "-1")),
    "no steps": ("bad_option", ("pixel", "a cat", "--steps", "0")),
    "guidance below zero": ("bad_option", ("pixel", "a cat", "--guidance", "-1")),
    "a file that is no PNG": ("output_suffix", ("pixel", "a cat", "-o", "a.gif")),
    "a file that is there": ("output_exists", ("pixel", "a cat", "-o", "there.png")),
    "a folder that is not there": ("output_parent_missing", ("pixel", "a cat", "-o", "no/a.png")),
    "a strength of no style": ("no_style", ("pixel", "a cat", "--strength", "0.5")),
    "a blend without a weight": ("bad_blend", ("pixel", "a cat", "--blend", "other")),
}


@pytest.mark.parametrize("name", DRAWN)
def test_what_cannot_be_drawn_is_refused(
    refused: Refused, here: Path, pixel_pipeline: Path, words: Path, name: str
) -> None:
    shutil.copytree(pixel_pipeline, here / "pixel")
    shutil.copytree(words, here / "labels")
    (here / "there.png").write_bytes(b"")
    code, arguments = DRAWN[name]
    refused("generate", *arguments, code=code)


def test_a_model_of_pictures_gives_no_probabilities(
    here: Path, pixel_pipeline: Path, own_activations: Path
) -> None:
    wugs(here)
    model = supertune.fit(
        here / "rows", task="image_generation", backbone=str(pixel_pipeline), method="untuned",
        concept="a wug",
    )  # fmt: skip
    before = snapshot(here)
    with pytest.raises(InputError, match="no probabilities"):
        model.predict_proba([here / "rows" / "0.png"])
    assert snapshot(here) == before
