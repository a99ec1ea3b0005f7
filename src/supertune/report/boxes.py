"""Pictures with boxes drawn on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from supertune.contracts import Picture
from supertune.data.pictures.decoding import opened

if TYPE_CHECKING:
    from PIL import Image

# Told apart by most eyes (Okabe and Ito 2008).
COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#000000")
THICK = 200  # pixels of a picture's side for each of a line's


def drawn(picture: Picture, boxes: Sequence[dict[str, Any]], labels: Sequence[str]) -> Image.Image:
    """The upright picture with each box, its label and its score; a colour a class."""
    from PIL import ImageDraw

    image = opened(picture)
    pen = ImageDraw.Draw(image)
    width = max(1, round(max(image.size) / THICK))
    for one in reversed(boxes):  # the surest on top
        colour = COLOURS[labels.index(one["label"]) % len(COLOURS)]
        x0, y0, x1, y1 = one["box"]
        pen.rectangle([x0, y0, max(x0, x1), max(y0, y1)], outline=colour, width=width)
        text = f"{one['label']} {one['score']:.2f}" if "score" in one else str(one["label"])
        at = x0 + width + 1, y0 + width
        pen.rectangle(pen.textbbox(at, text), fill=colour)
        pen.text(at, text, fill="white" if colour in ("#0072B2", "#D55E00", "#000000") else "black")
    return image
