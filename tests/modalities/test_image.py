"""What is special about pictures, between reading them and learning from them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.pictures.conftest import encoded, noise, picture, quarters

from supertune.catalogue.corpora import few_shot
from supertune.catalogue.entries import model
from supertune.contracts import Columns, Examples, Picture
from supertune.data.pictures import making
from supertune.data.pictures.decoding import opened
from supertune.errors import InputError
from supertune.modalities.image import KEPT_BYTES, MODALITY


def examples(*inputs: Picture) -> Examples:
    return Examples(inputs, np.zeros(len(inputs), int), ("a",), np.arange(1, len(inputs) + 1))


def test_python_hands_over_paths_bytes_images_and_arrays(tmp_path: Path) -> None:
    image = quarters()
    (tmp_path / "a.png").write_bytes(encoded(image))
    given = [tmp_path / "a.png", str(tmp_path / "a.png"), encoded(image), image, np.asarray(image)]
    read = MODALITY.given(given, Columns(picture="image"))
    assert len(read) == 5
    assert read[0] == read[1] == read[2]
    assert MODALITY.given([], Columns(picture="image")) == []


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ("a.png", "one_picture_given"),
        (b"bytes", "one_picture_given"),
        (quarters(), "one_picture_given"),
        (7, "not_pictures"),
        ([3], "no_picture"),
        (["none.png"], "picture_missing"),
        ([b"no picture"], "not_a_picture"),
        ([None], "picture_missing"),
    ],
)
def test_what_is_no_list_of_pictures_is_refused(values: object, code: str) -> None:
    with pytest.raises(InputError) as refused:
        MODALITY.given(values, Columns(picture="image"))
    assert refused.value.code == code


def test_the_same_bytes_are_the_same_picture_whatever_their_name() -> None:
    one, other = Picture.of(b"x", "a"), Picture.of(b"x", "b")
    assert MODALITY.same(one) == MODALITY.same(other) != MODALITY.same(Picture.of(b"y", "a"))
    assert not MODALITY.blank(one)
    assert MODALITY.blank("")


def test_form_tells_drawings_from_digits() -> None:
    drawings = [one for one, _ in few_shot("tux-stamps", per_class=6, test_rows=0, seed=0)[0]]
    digits = [one for one, _ in few_shot("mnist-5k", per_class=6, test_rows=0, seed=0)[0]]
    left, right = MODALITY.form(drawings), MODALITY.form(digits)
    assert left.shape == (len(drawings), making.COLUMNS)
    spread = np.concatenate([left, right]).std(axis=0) + 1e-9
    assert (np.abs(left.mean(axis=0) - right.mean(axis=0)) / spread).max() > 1.5
    assert MODALITY.form([]).shape == (0, making.COLUMNS)


def test_very_small_pictures_and_unlike_sizes_are_noticed() -> None:
    rows = examples(picture(noise(1, 16)), picture(noise(2, 200)), picture(noise(3, 210)))
    small, sizes = MODALITY.noticed(rows, 256)
    assert (small.code, small.rows) == ("small_picture", (1,))
    assert sizes.code == "sizes_differ"
    assert "16 x 16 to 210 x 210" in sizes.message
    assert MODALITY.noticed(examples(picture(noise(2, 200))), 256) == []


def test_a_model_folder_keeps_a_picture_or_a_smaller_copy_of_it() -> None:
    small = picture(noise(1))
    kept = json.loads(json.dumps(MODALITY.to_json(small)))
    assert MODALITY.from_json(kept) == small
    pixels = np.random.default_rng(0).integers(0, 255, (900, 1200, 3), dtype=np.uint8)
    large = picture(Image.fromarray(pixels))
    back = MODALITY.from_json(MODALITY.to_json(large))
    assert isinstance(back, Picture)
    assert back.name == large.name
    assert len(back.read()) < KEPT_BYTES * 2 < len(large.read())


def test_the_smaller_copy_of_a_transparent_picture_is_transparent_too() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (600, 600, 4), dtype=np.uint8)
    pixels[:, :300, 3] = 0
    pixels[:, 300:, 3] = 255
    back = MODALITY.from_json(MODALITY.to_json(picture(Image.fromarray(pixels))))
    assert isinstance(back, Picture)
    assert len(back.read()) < KEPT_BYTES * 2
    left = np.asarray(opened(back, over=None))
    assert (left[:, :190, 3] == 0).all()
    assert (left[:, 240:, 3] == 255).all()


def test_a_thumbnail_is_a_small_png() -> None:
    made = MODALITY.thumbnail(picture(quarters(600, 300)))
    assert made is not None
    assert made.startswith(b"\x89PNG")
    assert len(made) < 20_000


def test_a_backbone_takes_about_as_long_as_was_measured() -> None:
    """Processor time, 40 to 80 ms a picture and 17 ms: lengths times what a position costs."""
    lite, dino = (model(name) for name in ("efficientnet-lite0", "dinov2-small"))
    assert lite is not None
    assert dino is not None
    costs = [
        MODALITY.lengths([picture(quarters())], one.offer, 256)[0]
        * one.offer.depth
        * one.offer.width**2
        for one in (lite, dino)
    ]
    assert 1.5 < costs[0] / costs[1] < 6
    assert MODALITY.lengths([picture(quarters())], None, 256) == (0,)
