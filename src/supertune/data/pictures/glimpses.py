"""What is looked at in every picture, once: its size, a small copy, a hash, and how it is made.

Near copies, the form of pictures and what a person is told of them all come from here, so that a
file is decoded once however many of them ask.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, Picture
from supertune.data.pictures import formats, making
from supertune.data.pictures.decoding import Pixels, each, opened
from supertune.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

SMALL = 16  # pixels a side of the copy that near copies are compared by
LEAST = 256  # pixels that the shorter side is decoded to at least
KEPT = 5_000  # pictures remembered, of about 1.6 kB each


@dataclass(frozen=True, eq=False)
class Glimpse:
    """Attributes:
    width, height: in pixels, as stored.
    small: (`SMALL`, `SMALL`, 3) copy.
    fingerprint: dHash of 64 bits: whether each of 8 x 8 cells is brighter than the next on its
        right (Krawetz 2013).
    form: (`making.COLUMNS`,) how it is made.
    broken: why nothing of this could be had; the rest is then empty.
    """

    width: int = 0
    height: int = 0
    small: Pixels = field(default_factory=lambda: np.zeros((0, 0, 3), dtype=np.uint8))
    fingerprint: int = 0
    form: FloatArray = field(default_factory=lambda: np.zeros(0))
    broken: InputError | None = None


_seen: OrderedDict[str, Glimpse] = OrderedDict()


def of(pictures: Sequence[Picture]) -> list[Glimpse]:
    """One a picture; those that were seen before in this process are not decoded again."""
    new = {one.sha256: one for one in pictures if one.sha256 not in _seen}
    found = dict(zip(new, each(_looked_at, list(new.values())), strict=True))
    result = [found.get(one.sha256) or _seen[one.sha256] for one in pictures]
    # Of several broken files with the same content, each is named by its own message.
    result = [
        glimpse if glimpse.broken is None else _looked_at(one)
        for one, glimpse in zip(pictures, result, strict=True)
    ]
    _seen.update((key, one) for key, one in found.items() if one.broken is None)
    while len(_seen) > KEPT:
        _seen.popitem(last=False)
    return result


def _looked_at(picture: Picture) -> Glimpse:
    try:
        width, height = formats.header(picture).size
        image = opened(picture, least=LEAST)
    except InputError as error:
        return Glimpse(broken=error)
    copy = _scaled(image, making.SIDE, making.SIDE)
    form = making.of(np.asarray(copy), width, height)
    return Glimpse(width, height, np.asarray(_scaled(copy, SMALL, SMALL)), _fingerprint(copy), form)


def _scaled(image: Image.Image, width: int, height: int) -> Image.Image:
    from PIL import Image

    return image.resize((width, height), Image.Resampling.BILINEAR)


def _fingerprint(image: Image.Image) -> int:
    grey = np.asarray(_scaled(image.convert("L"), 9, 8), dtype=np.int16)
    bits: npt.NDArray[np.bool_] = (grey[:, 1:] > grey[:, :-1]).reshape(64)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
