"""Stand-in until PICTURES lands; dropped when rebasing."""

from __future__ import annotations

import io
from typing import Any

from supertune.contracts import Picture
from supertune.errors import InputError


def opened(picture: Picture) -> Any:
    """A PIL image in RGB, upright, alpha over white."""
    from PIL import Image, ImageOps

    try:
        image: Any = Image.open(io.BytesIO(picture.read()))
        image.load()
    except Exception as error:
        raise InputError("picture_unreadable", f"{picture.name} cannot be read.") from error
    image = ImageOps.exif_transpose(image)
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "WHITE")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")
