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
_APP1, _SCAN = 0xE1, 0xDA  # markers of a JPEG


def apart(data: bytes) -> tuple[bytes, bytes | None]:
    """A JPEG without its Exif, and that; any other file as it is. Pillow would read all of it as
    soon as the file is opened, for a resolution that nobody asks about."""
    place = 2
    while data[:2] == b"\xff\xd8" and data[place : place + 1] == b"\xff":
        marker, size = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == _SCAN or size < 2:
            break
        end = place + 2 + size
        if marker == _APP1 and data[place + 4 : place + 10] == b"Exif\0\0":
            return data[:place] + data[end:], data[place + 4 : end]
        place = end
    return data, None


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
