"""Pictures that are to be read, and the squares of pixels that they are decoded to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from supertune.backbones.transformers.preprocessing import Pixels, Preprocessing
from supertune.contracts import BackboneRef, FloatArray, Input, Picture, ResizeMode
from supertune.data.pictures import decoding
from supertune.errors import InputError

ENOUGH = 4  # times the side: a JPEG that is larger yet is decoded at a fraction of its size
KEPT = 96 * 2**20  # bytes of decoded squares held, for those that are asked for again
MOST = 1_000  # of them, however small: who answers thousands of pictures answers each once


@dataclass(frozen=True)
class PixelPiece:
    """A picture to be read with ``side`` pixels a side; decoded when its batch is made.

    Attributes:
        mirrored: left and right exchanged.
        mode: how it becomes a square, see `Encoding`; None as the model's processor does.
        positions: hidden states that it makes.
        adapter: as of `supertune.backbones.transformers.batching.Piece`.
    """

    picture: Picture
    side: int
    mirrored: bool = False
    mode: ResizeMode | None = field(default=None, repr=False)  # the encoding of a key has it
    positions: int = field(default=0, repr=False)
    adapter: int = field(default=0, repr=False)

    def __len__(self) -> int:
        return self.positions

    @property
    def content(self) -> tuple[str, int, int, bool, str]:
        """Equal for what looks the same to the model."""
        return *self.picture.content, self.side, self.mirrored, self.mode or ""

    @property
    def kind(self) -> tuple[int, int]:
        """Pieces of one kind can share a batch."""
        return self.side, 0

    @property
    def bare(self) -> PixelPiece:
        """What the frozen part is computed of."""
        return PixelPiece(self.picture, self.side, self.mirrored, self.mode, self.positions)

    def own(self, states: FloatArray) -> FloatArray:
        """What belongs to it of a row of hidden states: all of it."""
        return states


class Squares:
    """Decodes pictures, and holds those that it decoded last."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        self.preprocessing = preprocessing
        self._held: OrderedDict[Any, Pixels] = OrderedDict()

    def of(self, pieces: Sequence[PixelPiece]) -> Pixels:
        """(n, side, side, 3) of pieces of one side."""
        side, held = pieces[0].side, self._held
        named = [(one.picture, side, one.mode) for one in pieces]
        wanted = {name: one for name, one in zip(named, pieces, strict=True) if name not in held}

        def square(piece: PixelPiece) -> Pixels:
            over = self.preprocessing.beneath(piece.mode)
            image = decoding.opened(piece.picture, least=ENOUGH * side, over=over)
            return self.preprocessing.square(image, side, piece.mode)

        for name, made in zip(wanted, decoding.each(square, list(wanted.values())), strict=True):
            held[name] = made
        found = []
        for name, piece in zip(named, pieces, strict=True):
            held.move_to_end(name)
            own = held[name]
            found.append(own[:, ::-1] if piece.mirrored else own)
        most = max(len(pieces), min(MOST, KEPT // found[0].nbytes))
        while len(held) > most:
            held.popitem(last=False)
        return np.stack(found)

    def forget(self) -> None:
        """Let go of what is held."""
        self._held.clear()


def picture(value: Input, ref: BackboneRef) -> Picture:
    """Raises:
    InputError: ``not_a_picture``.
    """
    if isinstance(value, Picture):
        return value
    raise InputError(
        "not_a_picture",
        f"{ref.name} reads pictures.",
        received=type(value).__name__,
        next="Choose a backbone that reads such rows: `supertune models`.",
    )
