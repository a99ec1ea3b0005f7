"""Detectors of transformers, tiny and random: what they offer, where they are cut, what they
learn."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tiny_detectors import KINDS, SIDE, written

from supertune import average_precision, pipeline, registry
from supertune.backbones.detectors.queries import declared, running
from supertune.backbones.detectors.queries.running import Entered
from supertune.config import Recipe
from supertune.contracts import (
    BackboneRef,
    Detecting,
    Encoding,
    Examples,
    HeadSpec,
    Injection,
    Picture,
    Problem,
    View,
    misfit,
    options_of,
)
from supertune.errors import InputError
from supertune.pipeline import Workshop
from supertune.training import fitting

ENGINE = registry.engine("detectors")
# Steps and learning rate until two pictures are known by heart, all of the model being tuned;
# RT-DETR's second version is its first with another way of sampling.
LEARNED = {
    "detr": (110, 3e-3),
    "conditional_detr": (80, 3e-3),
    "yolos": (90, 3e-3),
    "rt_detr": (120, 2e-3),
    "d_fine": (110, 2e-3),
}


def drawn(seed: int) -> tuple[Picture, list[list[float]]]:
    """A picture of noise with a red square on it."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    pixels = rng.integers(90, 160, (SIDE, SIDE, 3)).astype(np.uint8)
    x, y, size = (int(one) for one in rng.integers((4, 4, 18), (30, 30, 30)))
    pixels[y : y + size, x : x + size] = 220, 30, 30
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return Picture.of(stream.getvalue(), f"{seed}.png"), [[x, y, x + size, y + size, 0.0]]


@pytest.fixture(scope="module")
def rows() -> Examples:
    made = [drawn(seed) for seed in range(2)]
    boxes = np.array([one for _, one in made], dtype=np.float64)
    return Examples(tuple(one for one, _ in made), boxes, ("square",), np.arange(1, 3))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("detectors")


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, folders: Path) -> Path:
    return written(request.param, folders / request.param)


@pytest.fixture(scope="module")
def backbone(folder: Path) -> Any:
    return ENGINE.open(BackboneRef(folder.name, "detectors", folder), device="cpu", threads=1)


def test_what_is_open_is_what_was_offered(backbone: Any) -> None:
    assert backbone.offer == ENGINE.offers(backbone.ref)
    assert isinstance(backbone, Detecting)
    assert backbone.classes == ("cat", "dog", "apple")
    assert backbone.offer.depth == len(backbone.blocks)


def test_a_folder_is_opened_as_a_detector_without_being_told(folder: Path) -> None:
    assert pipeline.reference(str(folder)).engine == "detectors"
    offer = Workshop(Recipe()).offer(str(folder))
    for name in ("detection_head", "lora", "adapter", "top_blocks", "full", "pretrained_classes"):
        assert misfit(registry.method(name), "detect", offer, "image") is None
    why = misfit(registry.method("lora"), "classify", offer, "image")
    assert why == f"lora needs features, which {offer.architecture} lacks"


def test_resumed_at_any_cut_it_answers_as_the_whole_model_does(backbone: Any) -> None:
    pixels = torch.rand(2, 3, SIDE, SIDE)
    with torch.inference_mode():
        whole = backbone.model(pixel_values=pixels)
        for cut in range(backbone.offer.depth + 1):
            held = running.entering(backbone.model, backbone.family, pixels, cut)
            shapes = [tuple(one.shape[1:]) for one in held]
            rows = torch.stack([running.flat([h[i : i + 1] for h in held]) for i in range(2)])
            entered = Entered(running.unflat(rows, shapes), SIDE, cut)
            found = running.run(backbone.model, backbone.family, entered, None)
            assert torch.allclose(found.logits, whole.logits, atol=1e-5)
            assert torch.allclose(found.pred_boxes, whole.pred_boxes, atol=1e-5)


def test_its_own_classes_are_begun_as_they_are(backbone: Any, rows: Examples) -> None:
    views = [View(one, (0, 0, SIDE, SIDE), SIDE) for one in rows.inputs]
    depth = backbone.offer.depth
    maps = backbone.maps(backbone.activations(views, depth), depth, SIDE)
    again, turned, none = (
        backbone.detection_head(like).said(maps)[0].detach()
        for like in ((0, 1, 2), (2, None), (None,))
    )
    pixels = torch.from_numpy(np.stack([backbone.pixels.of(one) for one in views]))
    with torch.inference_mode():
        logits = backbone.model(pixel_values=pixels).logits
    whole = logits.softmax(-1)[..., :-1] if backbone.family.nothing else logits.sigmoid()
    if backbone.family.entered != "maps":  # there the classes also choose which places are asked
        assert torch.allclose(again, whole, atol=1e-5)
        assert turned.shape == (*whole.shape[:2], 2)
    assert float(none.max()) < 0.05


def test_a_picture_without_things_has_a_loss_too(backbone: Any, rows: Examples) -> None:
    views = [View(one, (0, 0, SIDE, SIDE), SIDE) for one in rows.inputs]
    depth = backbone.offer.depth
    maps = backbone.maps(backbone.activations(views, depth), depth, SIDE)
    head = backbone.detection_head([0])
    loss = head.loss(maps, [rows.targets[0], np.zeros((0, 5))])
    loss.backward()
    assert np.isfinite(float(loss.detach()))
    assert sum(float(one.grad.abs().sum()) for one in head.parameters() if one.grad is not None) > 0


@pytest.mark.parametrize("kind", LEARNED)
def test_it_learns_a_square_by_heart(
    kind: str, folders: Path, rows: Examples, own_activations: Any
) -> None:
    """All of a random model tuned: the loss falls and the boxes are found."""
    folder = written(kind, folders / f"{kind}-by-heart")
    lens = Workshop(Recipe(resolution=SIDE, threads=1)).lens(str(folder))
    steps, rate = LEARNED[kind]
    method = registry.method("full")
    options = options_of(method, "detect")(steps=steps, learning_rate=rate, views=0)
    tuned: Any = fitting.fit(method, Problem(rows, HeadSpec(1, boxes=5), lens, 0), options)
    losses = [loss for _, loss in tuned.losses]
    assert np.mean(losses[-5:]) < 0.6 * losses[0]
    answers = tuned.logits(rows.inputs, lens).reshape(2, 5, 6)
    assert rows.targets is not None
    shared = [
        average_precision.overlaps(found[:1, :4], true[:, :4])[0, 0]
        for found, true in zip(answers, rows.targets, strict=True)
    ]
    assert max(shared) > 0.5


def test_sides_are_what_the_model_can_read(folders: Path) -> None:
    for kind, grain in (("detr", 32), ("yolos", 8)):
        folder = written(kind, folders / f"{kind}-sides")
        opened: Any = ENGINE.open(BackboneRef(kind, "detectors", folder), device="cpu", threads=1)
        assert opened.side(Encoding(resolution=100)) == round(100 / grain) * grain
        assert opened.side(Encoding()) == 640


def test_deep_prompts_are_refused(folders: Path) -> None:
    folder = written("detr", folders / "refusing")
    opened = ENGINE.open(BackboneRef("detr", "detectors", folder), device="cpu", threads=1)
    with pytest.raises(InputError) as error:
        opened.inject(Injection("deep_prompts", None), seed=0)
    assert error.value.code == "injection_unsupported"


def test_pixels_are_scaled_as_its_processor_says(tmp_path: Path) -> None:
    assert declared.scaling("rt_detr", tmp_path) == ((0.0,) * 3, (255.0,) * 3)
    mean, spread = declared.scaling("detr", tmp_path)
    assert (round(mean[0], 2), round(spread[0], 2)) == (123.67, 58.4)
    said = {"do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said), "utf-8")
    assert declared.scaling("rt_detr", tmp_path) == ((127.5,) * 3, (63.75,) * 3)


@pytest.mark.parametrize(
    "said",
    [
        {"use_timm_backbone": True, "backbone": "resnet50"},
        {"backbone_config": {"model_type": "timm_backbone"}},
        {"backbone_config": None},
    ],
)
def test_a_backbone_of_timm_is_refused_before_anything_is_loaded(
    said: dict[str, Any], folders: Path
) -> None:
    folder = written("detr", folders / f"timm-{'-'.join(said)}")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config.pop("use_timm_backbone", None)
    (folder / "config.json").write_text(json.dumps({**config, **said}), "utf-8")
    with pytest.raises(InputError) as error:
        ENGINE.offers(BackboneRef("detr", "detectors", folder))
    assert error.value.code == "needs_timm"


def test_as_a_graph_it_says_what_it_says_with_a_lora_in_it(folders: Path, tmp_path: Path) -> None:
    """YOLOS alone: two-stage ones choose among random scores that are equal."""
    from onnxruntime import InferenceSession

    folder = folders / "yolos"
    written("yolos", folder)
    made: Any = ENGINE.open(BackboneRef("yolos", "detectors", folder), device="cpu", threads=1)
    method = registry.method("lora")
    injection = method.injection(made.offer, options_of(method, "detect")(rank=2))
    tunable = made.inject(injection, seed=0)
    head = made.detection_head([None, 1])
    pixels = torch.rand(3, 3, SIDE, SIDE)
    with tunable:
        for part in tunable.parameters():
            part.data += 0.1
        about = made.write_onnx(head, SIDE, tmp_path / "model.onnx")
        with torch.inference_mode():
            ours = head.said(Entered((pixels,), SIDE, None))
    theirs = InferenceSession(tmp_path / "model.onnx").run(None, {"pixel_values": pixels.numpy()})
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(other, one.numpy(), atol=1e-4)
    assert not about["blue_first"]
