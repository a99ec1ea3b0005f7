"""Pictures that a model draws, side by side: as one grid, and in a report."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

Array = npt.NDArray[np.uint8]
GAP = 2  # pixels between the pictures of a grid
LARGEST = 96  # pixels a side of a picture in a report


def grid(pictures: Sequence[Array], columns: int) -> Image.Image:
    """Pictures (h, w, 3) of one size in rows of ``columns``, on white."""
    from PIL import Image

    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    whole = np.full(
        (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, dtype=np.uint8
    )
    for place, one in enumerate(pictures):
        top, left = place // columns * (height + GAP), place % columns * (width + GAP)
        whole[top : top + height, left : left + width] = one
    return Image.fromarray(whole)


def png(picture: Array, largest: int | None = None) -> bytes:
    """A PNG of an array (h, w, 3), no larger than ``largest`` pixels a side."""
    from PIL import Image

    image = Image.fromarray(picture)
    if largest is not None:
        image.thumbnail((largest, largest))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def section(
    pictures: Mapping[str, Sequence[Array]],
    figures: Mapping[str, tuple[float, float, float]] | None = None,
    largest: int = LARGEST,
) -> dict[str, Any]:
    """The report's part about pictures.

    Args:
        pictures: by what they are ("learned from", "before", "after"), those that stand side by
            side; the i-th of each was drawn on the same seed where they were drawn.
        figures: by name a number and the ends of its interval.
        largest: pixels of the longer side of each.

    Returns:
        ``rows``: each with ``name`` and ``pictures``, addresses of small PNGs; ``figures``.
    """
    rows = [
        {"name": name, "pictures": [_address(png(one, largest)) for one in several]}
        for name, several in pictures.items()
        if len(several)
    ]
    listed = [
        {"name": name, "value": value, "low": low, "high": high}
        for name, (value, low, high) in (figures or {}).items()
    ]
    return {"rows": rows, "figures": listed}


def _address(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
