"""Draws the pictures of docs/gallery.md: what models of a few minutes say of pictures.

python docs/gallery.py                       # fit what is shown, then draw
python docs/gallery.py --models FOLDER       # keep the fitted models there, and use them again

Pictures are emoji of Noto (Apache-2.0) and aerial photographs of DeepForest (MIT).
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import supertune
from supertune.average_precision import matched
from supertune.catalogue.corpora import few_pictures, few_shot
from supertune.cli.recipe_options import drawn as drawn_rows
from supertune.config import read_recipe
from supertune.contracts import Columns, Detections, Picture
from supertune.data.pictures.decoding import opened
from supertune.objectives._boxes import told
from supertune.registry import task

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
LARGEST = 100_000  # bytes of a picture
SHOWN = 4  # emoji
TILE = 132  # pixels a side of one
LINES = {"hits": ("#0072B2", 2), "misses": ("#D55E00", 2), "alarms": ("#000000", 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path)
    asked = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        models = asked.models or Path(folder)
        classified(models / "emoji-model")
        detected(models / "trees-model")
        generated(models / "clocks-model")


def generated(folder: Path) -> None:
    """Clocks that are learned from, what is drawn on eight seeds before, and what after."""
    from PIL import Image

    from supertune.report.generated import grid

    settled = read_recipe(ROOT / "recipes/image_generation.yaml")
    train, test = drawn_rows(settled.pop("data"))
    settled["options"] = {}  # the recipe is for a hurry
    if not (folder / "supertune.json").exists():
        supertune.fit(train, output=folder, test=test, **settled)
    asked: dict[str, Any] = {"n": len(train), "seed": 0}
    before = supertune.generate(settled["backbone"], "clock face", **asked)["pictures"]
    after = supertune.generate(folder, "clock face", **asked)["pictures"]
    side = after[0].shape[:2]
    real = [np.asarray(opened(one).resize(side, Image.Resampling.BOX)) for one, _ in train]
    sheet = grid([*real, *before, *after], len(train))
    whole = sheet.resize((3 * sheet.width, 3 * sheet.height), Image.Resampling.NEAREST)
    whole.save(IMAGES / "gallery_generation.png", optimize=True)


def classified(folder: Path) -> None:
    """Emoji that a model has not seen, above; what spoke for its answer (green) and against it
    (red), below."""
    from PIL import Image

    train, test = few_shot("emoji", per_class=10, test_rows=200, seed=0)
    if not (folder / "supertune.json").exists():
        supertune.fit(
            train, output=folder, test=test, backbone="efficientnet-lite0", advice=False,
            method="linear_probe", task="image_classification", threads=1, repeats=2,
        )  # fmt: skip
    model = supertune.load(folder)
    sheet = Image.new("RGB", (SHOWN * TILE, 2 * TILE), "white")
    for place, (picture, label) in enumerate(_of_several_classes(model, test)):
        found = model.explain(picture)
        small = opened(picture).resize((TILE - 8, TILE - 8), Image.Resampling.LANCZOS)
        heat = Image.open(io.BytesIO(found.drawn() or b""))
        sheet.paste(small, (place * TILE + 4, 4))
        sheet.paste(heat.resize(small.size, Image.Resampling.LANCZOS), (place * TILE + 4, TILE + 4))
        print(f"{picture.name}: {label}, told as {found.said}, by {found.way}")
    _save(sheet, "gallery_classification.png")


def _of_several_classes(model: Any, test: list[tuple[Picture, str]]) -> list[tuple[Picture, str]]:
    """The first pictures of each of `SHOWN` classes that the model is right about."""
    answers = model.predict([picture for picture, _ in test])
    chosen: dict[str, tuple[Picture, str]] = {}
    for (picture, label), answer in zip(test, answers, strict=True):
        if answer == label:
            chosen.setdefault(label, (picture, label))
    return [chosen[label] for label in sorted(chosen)][:SHOWN]


def detected(folder: Path) -> None:
    """A photograph that the model of recipes/object_detection.yaml was judged on: hits blue,
    misses orange, false alarms black."""
    from PIL import ImageDraw

    recipe = read_recipe(ROOT / "recipes" / "object_detection.yaml")
    rows = recipe.pop("data")
    if not (folder / "supertune.json").exists():
        train, test = drawn_rows(rows)
        supertune.fit(train, test=test, output=folder, threads=1, **recipe)
    model = supertune.load(folder)
    _, test = few_pictures(rows["dataset"], **{k: v for k, v in rows.items() if k != "dataset"})
    examples = task("object_detection").read(test, Columns(), labels=model.labels).train
    smallest = min(range(len(test)), key=lambda i: opened(examples.inputs[i]).size)
    examples = examples.take(np.array([smallest]))
    answers = model.predictions(list(examples.inputs))
    assert isinstance(answers, Detections)
    found = told(
        matched(answers.boxes, examples.targets), answers.boxes, examples.targets, answers.threshold
    )
    image = opened(examples.inputs[0])
    pen = ImageDraw.Draw(image)
    for kind, boxes in (
        ("misses", examples.targets[found.misses]),
        ("alarms", answers.boxes[found.alarms]),
        ("hits", answers.boxes[found.hits]),
    ):
        colour, width = LINES[kind]
        for x0, y0, x1, y1 in boxes[:, :4].tolist():
            pen.rectangle([x0, y0, x1, y1], outline=colour, width=width)
    print(f"{examples.inputs[0]}: hits, misses, false alarms {found.counts()[0]}")
    _save(image, "gallery_detection.png")


def _save(image: Any, name: str) -> None:
    """As a PNG of few colours, and smaller until it is small enough."""
    while True:
        stream = io.BytesIO()
        image.quantize(128).save(stream, "PNG", optimize=True)
        if len(stream.getvalue()) <= LARGEST:
            break
        image = image.resize((image.width * 9 // 10, image.height * 9 // 10))
    (IMAGES / name).write_bytes(stream.getvalue())


if __name__ == "__main__":
    main()
