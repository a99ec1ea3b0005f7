"""How a camera was held: tag 0x0112 of Exif, read by itself.

Pillow reads all tags for it and warns of each that is damaged, which is nobody's business here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 0x0112
_SHORT = 3


def of_exif(image: Image.Image) -> Image.Transpose | None:
    """What turns the picture upright; None where it is. A TIFF turns itself when it is loaded."""
    from PIL.Image import Transpose

    ways = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    exif = image.info.get("exif")
    if image.format == "TIFF" or not isinstance(exif, bytes):
        return None
    return ways.get(tag(exif.removeprefix(b"Exif\0\0")))


def tag(exif: bytes) -> int:
    """The orientation, 1 to 8, in a block of Exif; 1 where it has none that can be read."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 10:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}L", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for number in range(count):
            found, kind = struct.unpack_from(f"{order}HH", exif, start + 2 + 12 * number)
            if found == _ORIENTATION:
                (value,) = struct.unpack_from(f"{order}H", exif, start + 10 + 12 * number)
                return int(value) if kind == _SHORT and 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
