"""How a picture becomes a square, and how shares of the square are led back to it."""

from __future__ import annotations

import numpy as np
import pytest
from tests.backbones.transformers.pictures.conftest import picture

from supertune import pipeline
from supertune.backbones.transformers.preprocessing import Preprocessing
from supertune.config import recipe
from supertune.contracts import Encoding, Picture
from supertune.data.pictures.decoding import opened

DECLARED = Preprocessing(32, 32, True, 3, 1 / 255, mean=(0.2, 0.4, 0.6), spread=(0.3, 0.3, 0.3))
MEAN = (51, 102, 153)


@pytest.fixture(scope="module")
def wide() -> Picture:
    return picture((60, 30), 7)


def test_padding_keeps_the_shape_and_fills_with_the_mean_colour(wide):
    found = DECLARED.square(opened(wide), 32, "pad")
    assert found.shape == (32, 32, 3)
    assert (found[:8] == MEAN).all()
    assert (found[24:] == MEAN).all()
    np.testing.assert_array_equal(found[8:24], np.asarray(opened(wide).resize((32, 16), 3)))
    assert abs(DECLARED.normalised(found[None])[0, :, 0, 0]).max() < 1e-6


def test_cropping_takes_the_middle_and_stretching_all_of_it(wide):
    image = opened(wide)
    cropped = np.asarray(image.resize((64, 32), 3))[:, 16:48]
    np.testing.assert_array_equal(DECLARED.square(image, 32, "crop"), cropped)
    stretched = np.asarray(image.resize((32, 32), 3))
    np.testing.assert_array_equal(DECLARED.square(image, 32, "stretch"), stretched)
    np.testing.assert_array_equal(DECLARED.square(image, 32), stretched)


def test_a_picture_cut_out_along_its_outline_lies_on_the_colour_of_the_margin(tiny_picture):
    """Transparent around a red square: with a margin its surrounding has the margin's colour."""
    pixels = np.zeros((30, 60, 4), dtype=np.uint8)
    pixels[10:20, 20:40] = (200, 0, 0, 255)
    cut_out, reader = _picture(pixels), tiny_picture("vit").reader
    grey = reader.preprocessing.mean_colour
    for mode, around in (("pad", grey), ("stretch", (255, 255, 255)), (None, (255, 255, 255))):
        (pieces,) = reader.pieces([cut_out], Encoding(resolution=28, resize_mode=mode))
        square = reader._decoded(pieces)[0]
        assert (square[0] == around).all()
        assert (square[14, 0] == around).all()
        assert square[14, 14, 0] > 150
        assert square[14, 14, 1] < 60


@pytest.mark.parametrize("mode", ["stretch", "pad", "crop"])
@pytest.mark.parametrize("size", [(1, 400), (400, 1), (31, 90), (20, 20), (3, 2)])
def test_a_picture_of_any_shape_makes_a_square(mode, size):
    assert DECLARED.square(opened(picture(size, 1)), 32, mode).shape == (32, 32, 3)


def test_a_key_of_the_cache_names_the_way_only_where_one_is_set():
    assert "resize_mode" not in repr(Encoding(resolution=28))
    assert repr(Encoding(resize_mode="pad")) != repr(Encoding(resize_mode="crop"))


def test_the_way_is_part_of_what_the_model_is_asked(tiny_picture, wide):
    backbone = tiny_picture("vit")
    found = {}
    for mode in (None, "stretch", "pad", "crop"):
        encoding = Encoding(resolution=28, resize_mode=mode)
        found[mode] = backbone.features(backbone.tokens([wide], encoding), encoding)
    np.testing.assert_array_equal(found[None], found["stretch"])  # as its processor does
    assert np.abs(found["pad"] - found["stretch"]).max() > 1e-3
    assert np.abs(found["crop"] - found["pad"]).max() > 1e-3


@pytest.fixture(scope="module")
def backbone():
    name = "efficientnet-lite0"
    return pipeline.open_backbone(pipeline.reference(name), recipe({"precision": "fp32"}))


@pytest.mark.parametrize("mode", ["stretch", "pad", "crop"])
def test_shares_lie_where_the_picture_shows_what_they_are_of(backbone, mode):
    """A wide grey picture with one spot of colour at its left, in the middle of its height."""
    pixels = np.full((64, 128, 3), 124, dtype=np.uint8)
    pixels[24:40, 40:56] = np.random.default_rng(0).integers(0, 256, (16, 16, 3))
    spotted = _picture(pixels)
    encoding = Encoding(resolution=224, pooling="mean", layer=6, resize_mode=mode)
    (shares,) = backbone.attributing.token_states([spotted], encoding)
    (plain,) = backbone.attributing.token_states([_picture(pixels * 0 + 124)], encoding)
    vector = backbone.features(backbone.tokens([spotted], encoding), encoding)[0]
    np.testing.assert_allclose(shares.sum(0), vector, atol=1e-4)
    (spans,) = backbone.attributing.spans([spotted], encoding)
    strength = np.abs(shares - plain).sum(1)[1:]
    places = [span for span in spans if span is not None]
    row, column, rows = places[int(strength.argmax())]
    assert 24 / 64 <= (row + 0.5) / rows <= 40 / 64
    assert 40 / 128 <= (column + 0.5) / rows <= 56 / 128


def _picture(pixels) -> Picture:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return Picture.of(stream.getvalue(), "spot.png")
