"""How large an upright picture is, before anything of it is decoded."""

from __future__ import annotations

from supertune.contracts import Picture
from supertune.data.pictures import formats
from supertune.data.pictures.orientation import of_exif

_LYING = ("TRANSPOSE", "ROTATE_90", "ROTATE_270", "TRANSVERSE")


def upright(picture: Picture) -> tuple[int, int]:
    """(width, height) in pixels.

    Raises:
        InputError: as `supertune.data.pictures.formats.header`.
    """
    found = formats.header(picture)
    turned = of_exif(found)
    width, height = found.size
    return (height, width) if turned is not None and turned.name in _LYING else (width, height)
