"""The engine of detectors: what it offers, and that a picture's numbers are its own."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from supertune import registry
from supertune.catalogue.resolve import resolve
from supertune.contracts import Backbone, BackboneRef, Detecting, Encoding, Injection, Picture, View
from supertune.errors import InputError

ENGINE = registry.engine("detectors")
SMALL = Encoding(resolution=96)


def picture(seed: int, size: tuple[int, int] = (70, 50)) -> Picture:
    from PIL import Image

    drawn = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(drawn).save(stream, "PNG")
    return Picture.of(stream.getvalue(), f"{seed}.png")


@pytest.fixture(scope="module")
def backbone() -> Any:
    ref = BackboneRef("nanodet-g", "detectors", resolve("nanodet-g").folder)
    return ENGINE.open(ref, device="cpu", threads=1)


def test_what_is_open_is_what_was_offered(backbone: Backbone) -> None:
    assert backbone.offer == ENGINE.offers(backbone.ref)
    assert isinstance(backbone, Detecting)
    numbers = sum(one.numel() for one in backbone.module.parameters())  # type: ignore[attr-defined]
    assert numbers == backbone.offer.parameters
    assert len(backbone.classes) == 80


def test_features_are_a_pictures_own(backbone: Backbone) -> None:
    views = backbone.tokens([picture(i) for i in range(3)], SMALL)
    together = backbone.features(views, SMALL)
    assert together.shape == (3, backbone.offer.width)
    assert np.isfinite(together).all()
    alone = np.concatenate([backbone.features([one], SMALL) for one in views])
    assert together.tobytes() == alone.tobytes()
    assert backbone.features([], SMALL).shape == (0, backbone.offer.width)


def test_kept_maps_are_the_maps(backbone: Any) -> None:
    ((view,),) = backbone.tokens([picture(0)], SMALL)
    for cut in range(backbone.offer.depth + 1):
        (kept,) = backbone.activations([view], cut)
        again = backbone.maps([kept, kept], cut, view.side)
        with torch.inference_mode():
            below = backbone.module.below(torch.from_numpy(backbone.pixels.of(view))[None], cut)
        assert len(again) == len(below)
        assert all(torch.equal(a[:1], b) for a, b in zip(again, below, strict=True))


def test_a_mirrored_view_is_mirrored_and_a_turned_one_turned(backbone: Any) -> None:
    one = picture(1)
    plain, mirrored = (
        backbone.pixels.of(View(one, (0, 0, 70, 50), 96, flip)) for flip in (False, True)
    )
    assert np.array_equal(plain[:, :, ::-1], mirrored)
    turned = backbone.pixels.of(View(one, (0, 0, 70, 50), 96, turns=1))
    assert np.array_equal(np.rot90(plain, 1, axes=(1, 2)), turned)
    lit = backbone.pixels.of(View(one, (0, 0, 70, 50), 96, tint=5))
    assert not np.array_equal(plain, lit)


def test_a_view_beyond_the_picture_is_grey_there(backbone: Any) -> None:
    beyond = backbone.pixels.of(View(picture(2), (-70, 0, 70, 50), 96))
    assert np.ptp(beyond[0, :, :40]) == 0.0
    assert np.ptp(beyond[0, :, 56:]) > 0.5


def test_a_side_is_what_the_maps_can_be_made_of(backbone: Any) -> None:
    wanted = {100: 96, 416: 416, 1: 32, 430: 416}
    assert {n: backbone.side(Encoding(resolution=n)) for n in wanted} == wanted
    assert backbone.side(Encoding()) == 416


def test_a_class_is_seen_where_it_is(backbone: Any) -> None:
    """On a photograph: what NanoDet takes the dahlia for is seen in its box, and not beside it."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    stream = io.BytesIO()
    Image.fromarray(load_sample_image("flower.jpg")).save(stream, "PNG")
    ((view,),) = backbone.tokens([Picture.of(stream.getvalue(), "flower.png")], Encoding())
    depth = backbone.offer.depth
    maps = backbone.maps(backbone.activations([view], depth), depth, view.side)
    flower, beside = np.array([[107.0, 80, 290, 350, 0]]), np.array([[5.0, 5, 60, 60, 0]])
    seen = [backbone.responses([maps], [box], 1)[0] for box in (flower, beside)]
    assert seen[0].max() > 0.3 > seen[1].max()
    assert backbone.classes[int(seen[0].argmax())] == "cake"


def test_what_it_cannot_tune_is_refused(backbone: Backbone) -> None:
    with pytest.raises(InputError) as error:
        backbone.inject(Injection("LORA", None), seed=0)
    assert error.value.code == "injection_unsupported"


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (None, "not_a_backbone"),
        ({"model_type": "bert"}, "unknown_architecture"),
        ({"model_type": "nanodet", "classes": ["a"]}, "weights_do_not_fit"),
    ],
)
def test_a_folder_that_is_no_detector_is_refused(
    config: dict[str, Any] | None, code: str, tmp_path: Path
) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    weights = resolve("nanodet-g").folder / "model.safetensors"
    (tmp_path / "model.safetensors").write_bytes(weights.read_bytes())
    ref = BackboneRef("mine", "detectors", tmp_path)
    with pytest.raises(InputError) as error:
        ENGINE.open(ref, device="cpu", threads=1)
    assert error.value.code == code
