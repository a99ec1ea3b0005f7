"""A picture in patches, each of which can be painted over."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from supertune.contracts import Contribution, Picture
from supertune.data.pictures.decoding import opened
from supertune.explaining.patches import SIDE, Patches


@pytest.fixture
def picture() -> Picture:
    """Red, but for one green patch in the second row and third column."""
    pixels = np.full((10 * SIDE, 10 * SIDE, 3), (200, 0, 0), dtype=np.uint8)
    pixels[10:20, 20:30] = (0, 200, 0)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return Picture.of(stream.getvalue(), "leaf.png")


def pixels(value: Picture) -> np.ndarray:
    return np.array(opened(value))


def test_a_patch_that_is_taken_away_gets_the_mean_colour(picture: Picture) -> None:
    parts = Patches(picture)
    gone = parts.names.index("row 2, column 3")
    left = pixels(parts.without({gone}))
    mean = pixels(picture).reshape(-1, 3).mean(axis=0).round()
    assert (left[10:20, 20:30] == mean).all()
    left[10:20, 20:30] = (0, 200, 0)
    assert (left == pixels(picture)).all()


def test_nothing_taken_away_is_the_picture_itself_and_all_of_it_one_colour(
    picture: Picture,
) -> None:
    parts = Patches(picture)
    assert parts.without(()) is picture
    assert len(np.unique(pixels(parts.only(())).reshape(-1, 3), axis=0)) == 1


def test_shares_of_a_finer_grid_go_to_the_patch_that_holds_their_middle(picture: Picture) -> None:
    fine = 2 * SIDE
    spans = ((2, 4, fine), (3, 5, fine), (fine - 1, fine - 1, fine))
    found = Patches(picture).gathered(Contribution(spans, np.array([1.0, 2.0, 4.0]), 0.0))
    assert found[SIDE + 2] == 3.0
    assert found[-1] == 4.0
    assert found.sum() == 7.0


def test_the_map_has_a_line_a_row_and_a_tint_where_a_patch_spoke(picture: Picture) -> None:
    parts = Patches(picture)
    strengths = [0.0] * len(parts)
    strengths[SIDE + 2], strengths[-1] = 1.0, -0.3
    text = "".join(piece for piece, _ in parts.marked(strengths))
    assert text.splitlines()[0] == "leaf.png"
    assert text.splitlines()[2] == "· · ++" + "· " * (SIDE - 3)
    drawn = pixels(Picture.of(parts.drawn(strengths), "heat.png")).astype(int)
    before = pixels(picture).astype(int)
    assert (drawn[:10] == before[:10]).all()
    assert np.abs(drawn[10:20, 20:30] - before[10:20, 20:30]).max() > 30


def test_a_painted_patch_of_a_transparent_picture_is_opaque_and_the_others_stay_as_they_were() -> (
    None
):
    whole = np.zeros((10 * SIDE, 10 * SIDE, 4), dtype=np.uint8)
    whole[: 5 * SIDE] = (200, 0, 0, 255)
    stream = io.BytesIO()
    Image.fromarray(whole).save(stream, "PNG")
    parts = Patches(Picture.of(stream.getvalue(), "cut out.png"))
    left = np.array(opened(parts.without({len(parts) - 1}), over=None))
    assert (left[-10:, -10:, 3] == 255).all()
    left[-10:, -10:] = 0
    assert (left == whole).all()
    heat = pixels(Picture.of(parts.drawn([0.0] * len(parts)), "heat.png"))
    assert (heat[-1, -1] == 255).all()
