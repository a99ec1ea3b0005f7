"""Further views of a picture: mirrored or a little less of it, and another input to a cache."""

from __future__ import annotations

import numpy as np
from PIL import Image
from tests.data.pictures.conftest import noise, picture

from supertune.contracts import Picture
from supertune.data.pictures.decoding import opened
from supertune.data.pictures.varying import LEAST, MOST, varied
from supertune.modalities.image import MODALITY


def test_the_first_view_is_the_mirrored_picture() -> None:
    one = picture(noise(1, 40))
    mirrored = opened(one).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert opened(varied(one, 1)).tobytes() == mirrored.tobytes()


def test_others_are_crops_of_it_mirrored_in_turn_and_always_the_same() -> None:
    one = picture(noise(2, 60))
    whole = np.asarray(opened(one))
    for number in range(2, 7):
        view = varied(one, number)
        pixels = np.asarray(opened(view))
        assert (pixels == np.asarray(opened(varied(one, number)))).all()
        high, wide = pixels.shape[:2]
        assert min(high, wide) >= LEAST * 60 - 1
        assert max(high, wide) <= MOST * 60 + 1
        upright = pixels[:, ::-1] if number % 2 else pixels
        found = [
            (top, left)
            for top in range(61 - high)
            for left in range(61 - wide)
            if (whole[top : top + high, left : left + wide] == upright).all()
        ]
        assert len(found) == 1
    assert opened(varied(one, 2)).tobytes() != opened(varied(one, 4)).tobytes()


def test_a_view_is_another_input_than_its_picture() -> None:
    one = picture(noise(1, 40))
    view = MODALITY.varied(one, 2)
    assert isinstance(view, Picture)
    assert view != one
    assert repr(view) != repr(one)
    assert len({one, view, varied(one, 2), varied(one, 3)}) == 3
    assert opened(picture(noise(1, 1))).size == opened(varied(picture(noise(1, 1)), 2)).size
