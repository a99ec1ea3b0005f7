"""How a picture is made, whatever it shows: its size, light, colours, edges and empty ground.

Two collections can show the same things and differ in this, as photographs and drawings do, or
two cameras; an encoder of pictures is trained to see through most of it.
"""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray
from supertune.data.pictures.decoding import Pixels

SIDE = 64  # pixels a side at which light, colours and edges are measured
COLUMNS = 13
_SAME = 2.0  # neighbours that differ by less, of 255, are one colour
_COARSE = 8  # pixels a side of a part whose mean light is compared with its neighbours'


def of(copy: Pixels, width: int, height: int) -> FloatArray:
    """(`COLUMNS`,) of an RGB copy (`SIDE`, `SIDE`, 3) of a picture of ``width`` x ``height``.

    Logarithms of sizes, means and spreads from 0 to 1, and roots of shares, which spread alike
    whether something is rare or common.
    """
    pixels = copy.astype(np.float32)
    grey = pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    colour = pixels.max(axis=2) - pixels.min(axis=2)
    across, down = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=0))
    parts = SIDE // _COARSE
    coarse = grey.reshape(parts, _COARSE, parts, _COARSE).mean(axis=(1, 3))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return np.array(
        [
            np.log2(max(1, width * height)) / 2,
            np.log2(max(1, width) / max(1, height)),
            grey.mean() / 255,
            grey.std() / 255,
            colour.mean() / 255,
            colour.std() / 255,
            across.mean() / 255,
            down.mean() / 255,
            (np.abs(np.diff(coarse, axis=0)).mean() + np.abs(np.diff(coarse, axis=1)).mean()) / 255,
            np.sqrt((across < _SAME).mean()),
            np.sqrt((grey > 250).mean()),
            np.sqrt((grey < 5).mean()),
            border.std() / 255,
        ]
    )
