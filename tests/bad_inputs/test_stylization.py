"""Pictures of a style, photographs and settings that are refused, each by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from tests.bad_inputs.conftest import Bad, Make, Refused, both, file
from tests.data.pictures.conftest import encoded, noise

import supertune as tune

FIT = ("painting.png", "--task", "image_stylization", "--method", "style_vector")
FIT += ("--set", "resolution=64", "--set", "steps=2")


def painted(size: int = 64, name: str = "painting.png") -> Make:
    return file(encoded(noise(1, size)), name)


def flat(name: str) -> Make:
    return file(encoded(Image.new("RGB", (64, 64), (200, 30, 30))), name)


def folder(name: str) -> Make:
    return lambda here: (here / name).mkdir()


PHOTOGRAPHS = (*FIT, "--unlabeled", "photos")
FITS: dict[str, Bad] = {
    "no picture": Bad("file_missing", arguments=FIT),
    "a text as a picture": Bad("not_a_picture", file("a painting", "painting.png"), FIT),
    "half a picture": Bad(
        "picture_broken", file(encoded(noise(1, 64))[:3000], "painting.png"), FIT
    ),
    "a picture of few pixels": Bad("picture_too_small", painted(31), FIT, "31 x 31"),
    "a picture of one colour": Bad("flat_picture", flat("painting.png"), FIT, "one colour"),
    "an empty folder": Bad("no_pictures_in_folder", folder("rows"), ("rows", *FIT[1:])),
    "a template": Bad("picture_column_missing", painted(), (*FIT, "--template", "{text}")),
    "classes to be weighed": Bad(
        "no_class_weights", painted(), (*FIT, "--set", "class_weights=balanced")
    ),
    "a largest error": Bad("no_max_error", painted(), (*FIT, "--max-error", "5%")),
    "a metric of labels": Bad("unknown_metric", painted(), (*FIT, "--metric", "accuracy"), "skill"),
    "a method of labels": Bad(
        "method_does_not_fit", painted(), (*FIT[:3], "--method", "lora"), "stylize"
    ),
    "a backbone of features": Bad(
        "method_does_not_fit", painted(), (*FIT, "--backbone", "efficientnet-lite0"), "stylize"
    ),
    "no steps": Bad("bad_option", painted(), (*FIT, "--set", "steps=0"), "steps"),
    "photographs that are not there": Bad("file_missing", painted(), PHOTOGRAPHS),
    "a folder without photographs": Bad(
        "no_pictures_in_folder", both(painted(), folder("photos")), PHOTOGRAPHS
    ),
    "a photograph of one colour": Bad(
        "flat_picture", both(painted(), folder("photos"), flat("photos/a.png")), PHOTOGRAPHS
    ),
    "a photograph of few pixels": Bad(
        "picture_too_small",
        both(painted(), folder("photos"), painted(20, "photos/a.png")),
        PHOTOGRAPHS,
        "20 x 20",
    ),
    "photographs, and no rows to be kept": Bad(
        "method_holds_rows",
        both(painted(), folder("photos"), file(encoded(noise(4, 64)), "photos/a.png")),
        (*PHOTOGRAPHS, "--no-rows"),
    ),
}


@pytest.mark.parametrize("name", FITS)
def test_a_bad_fit_is_refused(refused: Refused, here: Path, name: str) -> None:
    bad = FITS[name]
    bad.make(here)
    refused("fit", *bad.arguments, "-o", "model", code=bad.code, said=bad.said)


@pytest.fixture(scope="module")
def style(tmp_path_factory: pytest.TempPathFactory, own_activations: Path) -> Path:
    place = tmp_path_factory.mktemp("style")
    painted()(place)
    tune.fit(
        place / "painting.png", task="image_stylization", method="nearest_style", resolution=64,
        output=place / "style",
    )  # fmt: skip
    return place / "style"


PAINTED: dict[str, tuple[str, tuple[str, ...]]] = {
    "neither a text nor a photograph": ("bad_prompt", ("style",)),
    "a text": ("no_painter", ("style", "a cat")),
    "a text and a photograph": ("prompt_and_picture", ("style", "a cat", "--picture", "a.png")),
    "steps of a denoiser": (
        "prompt_and_picture", ("style", "--picture", "a.png", "--steps", "3"),
    ),
    "a photograph that is not there": ("file_missing", ("style", "--picture", "b.png")),
    "a photograph that is none": ("not_a_picture", ("style", "--picture", "c.png")),
    "a photograph of few pixels": ("picture_too_small", ("style", "--picture", "small.png")),
    "too large": ("bad_size", ("style", "--picture", "a.png", "--size", "100000")),
    "too strong": ("bad_strength", ("style", "--picture", "a.png", "--strength", "40")),
    "several into one file": (
        "folder_needed", ("style", "--picture", "a.png", "--picture", "a.png", "-o", "x.png"),
    ),
    "a model of labels": ("no_stylizer", ("labels", "--picture", "a.png")),
    "a blend with a model of labels": (
        "no_stylizer", ("style", "--picture", "a.png", "--blend", "labels=0.5"),
    ),
    "no model": ("model_missing", ("none", "--picture", "a.png")),
}  # fmt: skip


@pytest.mark.parametrize("name", PAINTED)
def test_what_cannot_be_painted_is_refused(
    refused: Refused, here: Path, style: Path, words: Path, name: str
) -> None:
    shutil.copytree(style, here / "style")
    shutil.copytree(words, here / "labels")
    painted(64, "a.png")(here)
    painted(12, "small.png")(here)
    file("a text", "c.png")(here)
    code, arguments = PAINTED[name]
    refused("generate", *arguments, code=code)
