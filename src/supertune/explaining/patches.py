"""A picture in square patches, each of which can be painted over.

A patch that is taken away gets the picture's mean colour (occlusion: Zeiler & Fergus 2014,
arXiv:1311.2901). The picture is first made small, since it is asked about some hundred times.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import Contribution, FloatArray, Picture, Span

SIDE = 8  # patches along each side
PIXELS = 448  # of the longer side that are kept
HEAT = ((214, 69, 65), (46, 139, 87))  # red speaks against, green for it
STRONG = 0.6  # from here on a patch is marked twice
HIDDEN = 0.55  # of a patch, by the strongest tint


@dataclass(frozen=True, eq=False)
class Patches:
    """A picture and its `SIDE` x `SIDE` patches; see `supertune.explaining.parts.Parts`."""

    value: Picture
    noun: tuple[str, str] = ("patch", "patches")
    taking_away: str = "painting each patch over with the mean colour"
    signs: bool = True

    def __len__(self) -> int:
        return SIDE * SIDE

    @property
    def spans(self) -> tuple[Span, ...]:
        """(row, first column, the column behind it) of a grid of `SIDE` rows."""
        return tuple((i // SIDE, i % SIDE, i % SIDE + 1) for i in range(len(self)))

    @property
    def names(self) -> tuple[str, ...]:
        """``row 2, column 5``, counted from 1 at the top left."""
        return tuple(f"row {row + 1}, column {column + 1}" for row, column, _ in self.spans)

    @cached_property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """(height, width, 3), or 4 where it is transparent: what shows through is for those to
        say who read it."""
        from supertune.data.pictures.decoding import opened

        picture = opened(self.value, over=None)
        picture.thumbnail((PIXELS, PIXELS))
        return np.asarray(picture)

    @cached_property
    def shown(self) -> npt.NDArray[np.uint8]:
        """(height, width, 3) over white."""
        from PIL import Image

        from supertune.data.pictures.decoding import flattened

        return np.asarray(flattened(Image.fromarray(self.pixels)))

    def without(self, gone: Collection[int]) -> Picture:
        if not gone:
            return self.value
        painted = self.pixels.copy()
        mean = self.shown.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
        for part in gone:
            painted[self.box(part)][..., :3] = mean
            painted[self.box(part)][..., 3:] = 255
        return Picture.of(_png(painted), self.value.name)

    def only(self, kept: Collection[int]) -> Picture:
        return self.without(set(range(len(self))) - set(kept))

    def gathered(self, given: Contribution) -> FloatArray:
        """Spans are (row, column, rows in all) of a square grid over the whole picture; each goes
        to the patch that its middle lies in."""
        found = np.zeros(len(self))
        for (row, column, rows), share in zip(given.spans, given.shares, strict=True):
            down, across = (int((place + 0.5) / rows * SIDE) for place in (row, column))
            found[down * SIDE + across] += share
        return found

    def marked(self, strengths: Sequence[float]) -> Iterator[tuple[str, float]]:
        """A small map: two characters a patch, one line a row."""
        yield f"{self.value.name}\n", 0.0
        for part, strength in enumerate(strengths):
            if part and part % SIDE == 0:
                yield "\n", 0.0
            sign = "·" if not strength else "+" if strength > 0 else "-"
            yield (2 * sign if abs(strength) >= STRONG else f"{sign} "), strength

    def box(self, part: int) -> tuple[slice, slice]:
        """Rows and columns of pixels that a patch covers."""
        height, width = self.pixels.shape[:2]
        row, column = divmod(part, SIDE)
        down = slice(row * height // SIDE, (row + 1) * height // SIDE)
        return down, slice(column * width // SIDE, (column + 1) * width // SIDE)

    def drawn(self, strengths: Sequence[float]) -> bytes:
        """The picture with each patch tinted by its strength (-1 to 1)."""
        tinted = self.shown.astype(np.float64)
        for part, strength in enumerate(strengths):
            box, share = self.box(part), HIDDEN * abs(strength)
            tint = np.array(HEAT[int(strength > 0)], dtype=np.float64)
            tinted[box] = (1 - share) * tinted[box] + share * tint
        return _png(tinted.round().astype(np.uint8))


def _png(pixels: npt.NDArray[Any]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()
