"""How a picture is made, whatever it shows: its size, light, colours, edges and empty ground.

Two collections can show the same things and differ in this, as photographs and drawings do, or
two cameras; an encoder of pictures is trained to see through most of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from supertune.contracts import FloatArray

if TYPE_CHECKING:
    from PIL import Image

SIDE = 128  # pixels a side at which light, colours and edges are measured
COLUMNS = 13
_SAME = 2.0  # neighbours that differ by less, of 255, are one colour


def of(image: Image.Image, width: int, height: int) -> FloatArray:
    """(`COLUMNS`,) of an RGB picture that is stored with ``width`` x ``height`` pixels.

    Logarithms of sizes, means and spreads from 0 to 1, and roots of shares, which spread alike
    whether something is rare or common.
    """
    from PIL import Image

    scaled = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    pixels = np.asarray(scaled, dtype=np.float64)
    grey = pixels @ (0.299, 0.587, 0.114)
    colour = pixels.max(axis=2) - pixels.min(axis=2)
    across = np.abs(np.diff(grey, axis=1))
    down = np.abs(np.diff(grey, axis=0))
    coarse = grey.reshape(SIDE // 8, 8, SIDE // 8, 8).mean(axis=(1, 3))
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
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
