"""How long a detector learns, by which keys, and in which parts large pictures are cut."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from supertune import registry
from supertune.catalogue.corpora import few_pictures
from supertune.config import recipe
from supertune.contracts import DetectionOptions, Examples, Picture, options_of
from supertune.errors import InputError
from supertune.training import detecting


def test_a_method_of_encoders_has_a_detectors_keys_where_it_serves_boxes() -> None:
    method = registry.method("lora")
    keys = options_of(method, "detect")
    assert issubclass(keys, DetectionOptions)
    found: Any = keys(rank=4, tile=200, blocks=(1,))
    assert (found.rank, found.tile, found.blocks, found.batch_size) == (4, 200, (1,), 4)
    assert set(keys.ranges) == {"learning_rate", "epochs", "rank"}
    with pytest.raises(ValidationError, match="extra_forbidden"):
        keys(label_smoothing=0.1)
    assert options_of(method, "classify") is method.options
    for name in ("detection_head", "pretrained_classes"):
        assert options_of(registry.method(name), "detect") is registry.method(name).options


def test_a_rate_of_its_own_stays() -> None:
    found = {n: options_of(registry.method(n), "detect")() for n in ("lora", "top_blocks", "full")}
    rates = [getattr(one, "learning_rate", None) for one in found.values()]
    assert rates == [1e-3, 3e-4, 3e-5]


def test_a_recipe_takes_the_keys_of_its_task() -> None:
    boxes = {"task": "object_detection", "backbone": "nanodet-g", "method": "lora"}
    assert recipe({**boxes, "views": 2}).options == {"views": 2}
    with pytest.raises(InputError, match="label_smoothing"):
        recipe({**boxes, "label_smoothing": 0.1})
    with pytest.raises(InputError, match="tile"):
        recipe({"method": "lora", "tile": "auto"})


@pytest.mark.parametrize(
    ("keys", "views", "steps"),
    [({}, 10, 150), ({}, 1000, 750), ({"epochs": 20}, 100, 500), ({"steps": 7}, 1000, 7)],
)
def test_it_learns_as_long_as_views_and_keys_say(
    keys: dict[str, int], views: int, steps: int
) -> None:
    assert DetectionOptions(**keys).length(views) == steps


def problem(size: tuple[int, int], side: float) -> Any:
    """One picture of that size with two boxes of ``side`` pixels."""
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", size).save(stream, "PNG")
    boxes = np.array([[[0, 0, side, side, 0], [10, 10, 10 + side, 10 + side, 0]]], dtype=float)
    rows = Examples((Picture.of(stream.getvalue(), "a.png"),), boxes, ("a",), np.array([1]))
    backbone = SimpleNamespace(size=lambda _: size)
    return SimpleNamespace(examples=rows, lens=SimpleNamespace(backbone=backbone))


@pytest.mark.parametrize(
    ("size", "side", "from_above", "tile"),
    [
        ((400, 300), 60, False, None),
        ((400, 300), 38, True, 416),
        ((2000, 2000), 40, False, 438),  # 8 pixels on the whole are too small
        ((2000, 2000), 200, False, None),
        ((2000, 2000), 200, True, 2189),
    ],
)
def test_parts_are_such_that_things_are_seen_well(
    size: tuple[int, int],
    side: float,
    from_above: bool,
    tile: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detecting, "detector", lambda lens: lens.backbone)
    options = DetectionOptions(from_above=from_above)
    assert detecting._tile(problem(size, side), 416, options) == tile


def test_pictures_of_a_set_of_one_class_are_drawn_with_that_class() -> None:
    train, test = few_pictures("deepforest", train_rows=2, test_rows=2, seed=5)
    assert [len(boxes) for _, boxes in train] == [37, 574]
    assert len(test) == 2
    assert {box[4] for _, boxes in (*train, *test) for box in boxes} == {"Tree"}
    again = few_pictures("deepforest", train_rows=2, test_rows=2, seed=5)
    assert again == (train, test)
