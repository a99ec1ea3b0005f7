"""From a view of a picture to what a detector reads."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.contracts import FloatArray, Picture, View
from supertune.data.pictures import decoding

if TYPE_CHECKING:
    from PIL import Image

TINTED = 0.3  # how far light, contrast and colour may be from what they are
_KEPT = 2  # pictures that stay decoded: many views of one come in a row


class Pixels:
    """Decoded pictures, the last few of them kept.

    Args:
        mean, std: what is taken from a value from 0 to 255, and what it is divided by.
        blue_first: how the channels are ordered, in ``mean`` and ``std`` too.
    """

    def __init__(
        self, mean: tuple[float, ...], std: tuple[float, ...], *, blue_first: bool = True
    ) -> None:
        self._mean = np.array(mean, dtype=np.float32)
        self._std = np.array(std, dtype=np.float32)
        self._order = -1 if blue_first else 1
        self._opened: OrderedDict[str, Image.Image] = OrderedDict()

    def as_dict(self) -> dict[str, Any]:
        """How a program that lacks this class makes the same of a part."""
        said = {"mean": self._mean.tolist(), "spread": self._std.tolist()}
        return {**said, "blue_first": self._order < 0}

    def of(self, view: View) -> FloatArray:
        """(3, side, side) float32, normalised; grey where a view lies outside."""
        from PIL import Image

        image = self._image(view.picture)
        if view.part != (0, 0, *image.size):
            image = _cut(image, view.part)
        scaled = image.resize((view.side, view.side), Image.Resampling.BILINEAR)
        if view.tint:
            scaled = _tinted(scaled, view.tint)
        values = np.asarray(scaled, dtype=np.float32)[:, :, :: self._order]
        if view.flip:
            values = values[:, ::-1]
        values = np.rot90(values, view.turns)
        return np.ascontiguousarray(((values - self._mean) / self._std).transpose(2, 0, 1))

    def _image(self, picture: Picture) -> Image.Image:
        found = self._opened.pop(picture.sha256, None)
        if found is None:
            found = decoding.opened(picture)
        self._opened[picture.sha256] = found
        while len(self._opened) > _KEPT:
            self._opened.popitem(last=False)
        return found


def _tinted(image: Image.Image, seed: int) -> Image.Image:
    """Lighter or darker, of more or less contrast and colour."""
    from PIL import ImageEnhance

    factors = np.random.default_rng(seed).uniform(1 - TINTED, 1 + TINTED, 3)
    for enhancer, factor in zip(
        (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color), factors, strict=True
    ):
        image = enhancer(image).enhance(float(factor))
    return image


def _cut(image: Image.Image, part: tuple[int, int, int, int]) -> Image.Image:
    from PIL import Image

    x0, y0, x1, y1 = part
    if x0 >= 0 and y0 >= 0 and x1 <= image.width and y1 <= image.height:
        return image.crop(part)
    whole = Image.new("RGB", (x1 - x0, y1 - y0), (114, 114, 114))
    whole.paste(image, (-x0, -y0))
    return whole
