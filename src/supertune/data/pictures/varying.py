"""A picture as it might have been taken as well: mirrored, or a little less of it.

What a view shows depends on the picture and the view's number alone. Only what a label survives
nearly always: nothing is turned upside down, and at most a fifth of each side is cut off (after
the crops of Szegedy et al. 2015, arXiv:1409.4842, which cut much more from many more pictures).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from supertune.contracts import Input, Picture

if TYPE_CHECKING:
    from PIL import Image

LEAST, MOST = 0.8, 0.95  # of each side that a crop leaves


def varied(value: Input, number: int) -> Input:
    """The view of that number, from 1 on; the first is the mirrored picture."""
    assert isinstance(value, Picture)
    return replace(value, view=number)


def seen(image: Image.Image, picture: Picture) -> Image.Image:
    """What a picture that was decoded shows under its number: odd ones are mirrored, those from 2
    on cropped as well."""
    from PIL.Image import Transpose

    number = picture.view
    if number > 1:
        drawn = np.random.default_rng([int(picture.sha256[:16], 16), number])
        left_of = drawn.uniform(LEAST, MOST)
        wide, high = (max(1, round(side * left_of)) for side in image.size)
        left = int(drawn.integers(0, image.width - wide + 1))
        top = int(drawn.integers(0, image.height - high + 1))
        image = image.crop((left, top, left + wide, top + high))
    return image.transpose(Transpose.FLIP_LEFT_RIGHT) if number % 2 else image
