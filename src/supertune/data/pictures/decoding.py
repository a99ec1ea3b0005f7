"""From encoded bytes to pixels: upright, opaque, in three colours of eight bits.

Decoding runs in threads: Pillow lets go of the interpreter while it decodes and scales, so they
keep all processors busy, and nothing is copied from one process to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from supertune.contracts import Picture
from supertune.data.pictures import formats, varying
from supertune.data.pictures.orientation import of_exif
from supertune.errors import SupertuneError
from supertune.limits import processors

if TYPE_CHECKING:
    from PIL import Image

Pixels = npt.NDArray[np.uint8]
Fit = Literal["stretch", "crop", "pad"]
Filter = Literal["bilinear", "bicubic"]
S = TypeVar("S")
T = TypeVar("T")

MOST_WORKERS = 16
_AHEAD = 4  # pictures a worker that are decoded and not yet asked for
Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)


def opened(picture: Picture, *, least: int = 0, over: Colour | None = WHITE) -> Image.Image:
    """The first frame, mode RGB, turned as its EXIF orientation says; grey, palettes, CMYK and 16
    bits a channel converted.

    Args:
        over: the colour where it is transparent; None leaves such a picture RGBA.
        least: pixels that the shorter side must have left. A JPEG is then decoded at a half, a
            quarter or an eighth of its size, which takes a fraction of the time; 0 decodes all.

    Raises:
        InputError: as `formats.header`; ``picture_broken`` for what is cut short.
        EnvironmentFault: ``extra_missing``.
    """
    found = formats.header(picture)
    turned = of_exif(found)
    try:
        if least:
            found.draft(None, _reduced(found.size, least))
        found.seek(0)
        formats.check_size(picture, found.size)  # a frame may be larger than the first bytes say
        found.load()
        flat = flattened(found, over)
        return varying.seen(flat if turned is None else flat.transpose(turned), picture)
    except (SupertuneError, MemoryError):
        raise
    except Exception as error:  # whatever a decoder stumbles over, the file is to blame
        raise formats.broken(picture, error) from error


def arrays(
    pictures: Sequence[Picture],
    size: int,
    *,
    fit: Fit = "crop",
    filter_: Filter = "bicubic",
    workers: int | None = None,
) -> Pixels:
    """(n, size, size, 3) pixels, decoded in parallel.

    Args:
        fit: ``crop`` scales the shorter side to ``size`` and takes the middle, ``pad`` scales the
            longer side and puts white around, ``stretch`` ignores the proportions.
        workers: threads; by default as many as `limits.processors` says.

    Raises:
        InputError: as `opened`, of the first picture that is wrong.
    """
    found = np.empty((len(pictures), size, size, 3), dtype=np.uint8)

    def one(picture: Picture) -> Pixels:
        return np.asarray(fitted(opened(picture, least=2 * size), size, fit, filter_))

    for place, pixels in enumerate(each(one, pictures, workers)):
        found[place] = pixels
    return found


def fitted(image: Image.Image, size: int, fit: Fit, filter_: Filter = "bicubic") -> Image.Image:
    """``size`` x ``size`` pixels of a picture; ``fit`` as in `arrays`."""
    from PIL import Image, ImageOps

    way = Image.Resampling.BICUBIC if filter_ == "bicubic" else Image.Resampling.BILINEAR
    if fit == "stretch":
        return image.resize((size, size), way)
    if fit == "pad":
        return ImageOps.pad(image, (size, size), way, color=WHITE)
    return ImageOps.fit(image, (size, size), way)


def each(work: Callable[[S], T], pictures: Sequence[S], workers: int | None = None) -> Iterator[T]:
    """``work`` on each picture in threads, in order, never far ahead of what is asked for."""
    count = min(workers or processors(), len(pictures), MOST_WORKERS)
    if count < 2:
        yield from map(work, pictures)
        return
    with ThreadPoolExecutor(count, thread_name_prefix="decode") as pool:
        todo = iter(pictures)
        waiting = [pool.submit(work, one) for one in islice(todo, count * _AHEAD)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(work, one) for one in islice(todo, 1)]
        finally:
            for left in waiting:
                left.cancel()


def _reduced(size: tuple[int, int], least: int) -> tuple[int, int]:
    """The size whose shorter side is ``least``, to be asked of a decoder that can reduce."""
    shorter = max(1, min(size))
    return max(1, size[0] * least // shorter), max(1, size[1] * least // shorter)


def flattened(image: Image.Image, over: Colour | None = WHITE) -> Image.Image:
    """Mode RGB of any other: transparent pixels over a colour, more than 8 bits scaled; ``over``
    as of `opened`."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image), image.mode)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    above = image.convert("RGBA")
    if over is None:
        return above
    below = Image.new("RGBA", above.size, (*over, 255))
    return Image.alpha_composite(below, above).convert("RGB")


def _eight_bits(values: npt.NDArray[np.generic], mode: str) -> Pixels:
    """Grey of 16 or 32 bits, or floats, scaled from what such files count to: 65,535 where there
    is more than 255, 1 for floats up to 1, otherwise the largest value."""
    numbers = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    most = float(numbers.max(initial=0.0))
    full = 65535.0 if mode.startswith("I;16") else 1.0 if mode == "F" else 255.0
    if most > full:
        full = 65535.0 if mode == "I" and most <= 65535 else most
    return np.asarray(np.clip(np.round(numbers * (255.0 / full)), 0, 255), dtype=np.uint8)
