"""Large pictures in parts that overlap, and what is found on parts put together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray

VISIBLE = 0.35  # share of a box that must lie on a part for the part to show it
SAME = 0.5  # IoU from which two boxes of one class, found on two parts, are one
Part = tuple[int, int, int, int]


def parts(width: int, height: int, tile: int | None, overlap: float) -> list[Part]:
    """Corners of the parts that cover a picture; all of it where ``tile`` is None or it is no
    larger than one.

    Args:
        tile: pixels a side of a part.
        overlap: share of a side that neighbours have in common at least, below 1.
    """
    if tile is None or max(width, height) <= tile:
        return [(0, 0, width, height)]
    return [
        (x, y, x + min(tile, width), y + min(tile, height))
        for y in starts(height, tile, overlap)
        for x in starts(width, tile, overlap)
    ]


def starts(length: int, tile: int, overlap: float) -> list[int]:
    if length <= tile:
        return [0]
    count = math.ceil((length - tile) / max(1.0, tile * (1 - overlap))) + 1
    return [round(place * (length - tile) / (count - 1)) for place in range(count)]


def shown(boxes: npt.NDArray[np.floating], side: int) -> FloatArray:
    """Of boxes (m, 5) in a view's pixels those that it shows enough of, cut at its edges."""
    cut = np.array(boxes, dtype=np.float64)
    cut[:, :4] = np.clip(cut[:, :4], 0, side)
    whole = area(boxes)
    left = area(cut)
    keep = (left >= VISIBLE * np.maximum(whole, 1e-12)) & (left > 1.0)
    return np.asarray(cut[keep])


def merged(found: Sequence[FloatArray], most: int) -> FloatArray:
    """(k, 6) of what is found on the parts of one picture, in its pixels, the surest first.

    Of boxes of one class that overlap, or of which one lies mostly inside another that was cut at
    the edge of its part, the surer one is kept.
    """
    whole = np.concatenate([*found, np.zeros((0, 6))])
    whole = whole[np.argsort(-whole[:, 4], kind="stable")]
    if len(found) < 2:
        return whole[:most]
    left = np.ones(len(whole), dtype=bool)
    kept: list[int] = []
    for row in range(len(whole)):
        if not left[row] or len(kept) == most:
            continue
        kept.append(row)
        left &= ~((alike(whole[row], whole)) & (whole[:, 5] == whole[row, 5]))
    return whole[kept]


def inside(boxes: FloatArray, size: tuple[int, int]) -> FloatArray:
    """(k, 4 or more) boxes cut at the edges of a picture of that width and height."""
    cut = np.array(boxes, dtype=np.float64)
    cut[:, [0, 2]] = np.clip(cut[:, [0, 2]], 0, size[0])
    cut[:, [1, 3]] = np.clip(cut[:, [1, 3]], 0, size[1])
    return cut


def alike(one: FloatArray, others: FloatArray) -> npt.NDArray[np.bool_]:
    low = np.maximum(one[:2], others[:, :2])
    high = np.minimum(one[2:4], others[:, 2:4])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    own, theirs = area(one[None]), area(others)
    union = np.maximum(own + theirs - shared, 1e-12)
    smaller = np.maximum(np.minimum(own, theirs), 1e-12)
    return np.asarray((shared / union > SAME) | (shared / smaller > 0.8))


def area(boxes: npt.NDArray[np.floating]) -> FloatArray:
    return np.asarray(np.clip(boxes[:, 2:4] - boxes[:, :2], 0, None).prod(axis=1))
