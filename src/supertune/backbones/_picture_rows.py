"""Pictures through a frozen encoder that another library runs: squares of pixels in, one vector a
picture out. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.backbones._sentence_folder import read_json
from supertune.backbones.transformers import preprocessing
from supertune.backbones.transformers.pixels import ENOUGH, ROW_TOKENS, PixelPiece
from supertune.backbones.transformers.preprocessing import Preprocessing
from supertune.contracts import BackboneRef, Encoding, FloatArray, Input, Offer, Picture
from supertune.data.pictures import decoding
from supertune.errors import InputError

PIXELS = "pixel_values"
PROCESSOR = "preprocessor_config.json"
Numbers = Mapping[str, npt.NDArray[Any]]


def declared(folder: Path, name: str) -> Preprocessing:
    """How a picture becomes pixels, as ``preprocessor_config.json`` says.

    Raises:
        InputError: ``image_processor_unreadable``.
    """
    values = read_json(folder / PROCESSOR)
    lacking = [key for key in preprocessing.NEEDED if key not in (values or {})]
    if values is None or lacking:
        raise InputError(
            "image_processor_unreadable",
            f"How {name} wants its pictures cannot be read.",
            received=f"no {PROCESSOR}" if values is None else f"no {', '.join(lacking)} in it",
            allowed=f"{PROCESSOR} beside the model, with {', '.join(preprocessing.NEEDED)}",
            next="Save it there with image_processor.save_pretrained(folder).",
        )
    return preprocessing.of_values(values)


class PictureRows:
    """Pieces of pictures, and batches of them.

    Args:
        reading: how a picture becomes pixels.
        side: pixels a side, where the encoder takes no other number.
        rows: pictures of every batch, likewise.
        patch: pixels a side of what one hidden state stands for; 0 where that is not known.
    """

    def __init__(
        self,
        ref: BackboneRef,
        offer: Offer,
        reading: Preprocessing,
        *,
        side: int = 0,
        rows: int = 0,
        patch: int = 0,
    ) -> None:
        self.ref, self.offer, self.reading = ref, offer, reading
        self.fixed, self.rows, self.patch = side, rows, patch
        self.settings = repr(reading)

    def pieces(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[PixelPiece, ...]]:
        side, mode = self.side(encoding), encoding.resize_mode or self.offer.resize_mode
        for value in inputs:
            if not isinstance(value, Picture):
                raise InputError(
                    "not_a_picture",
                    f"{self.ref.name} reads pictures.",
                    received=type(value).__name__,
                    next="Choose a backbone that reads such rows: `supertune models`.",
                )
        return [
            (PixelPiece(one, side, mode=mode, positions=max(1, (side // (self.patch or 16)) ** 2)),)
            for one in inputs
            if isinstance(one, Picture)
        ]

    def side(self, encoding: Encoding) -> int:
        """Pixels a side under an encoding.

        Raises:
            InputError: ``bad_resolution``.
        """
        side = encoding.resolution or self.fixed or self.reading.side
        if (self.fixed and side != self.fixed) or side % (self.patch or 1):
            raise InputError(
                "bad_resolution",
                f"{self.ref.name} cannot read pictures of that size.",
                received=f"resolution {side}",
                allowed=f"{self.fixed}" if self.fixed else f"multiples of {self.patch}",
                next="Leave the resolution out, or export the encoder for it.",
            )
        return side

    def vectors(
        self,
        tokens: Sequence[tuple[PixelPiece, ...]],
        exact: bool,
        run: Callable[[Numbers], FloatArray],
    ) -> FloatArray:
        """(n, d): ``run`` gives (rows, d) of ``pixel_values`` (rows, 3, side, side) float32;
        ``exact``: all batches have one number of rows."""
        flat = [piece for (piece,) in tokens]
        if not flat:
            return np.zeros((0, self.offer.width), np.float32)
        most = self.rows or max(1, ROW_TOKENS // len(flat[0]))
        found = []
        for start in range(0, len(flat), most):
            some = flat[start : start + most]
            pixels = self.reading.normalised(np.stack(list(decoding.each(self._square, some))))
            if self.rows or exact:  # rows beyond the pieces repeat the first one
                pixels = pixels[[row if row < len(some) else 0 for row in range(most)]]
            found.append(run({PIXELS: pixels})[: len(some)])
        return np.concatenate(found)

    def _square(self, piece: PixelPiece) -> npt.NDArray[np.uint8]:
        over = self.reading.beneath(piece.mode)
        image = decoding.opened(piece.picture, least=ENOUGH * piece.side, over=over)
        return self.reading.square(image, piece.side, piece.mode)

    def pooled(self, hidden: FloatArray, batch: Numbers, how: str) -> FloatArray:
        """(rows, d) of hidden states (rows, positions, d) or of maps (rows, d, height, width)."""
        if hidden.ndim == 4:
            return np.asarray(hidden.mean((2, 3)))
        specials = self.specials(hidden.shape[1], batch[PIXELS].shape[-1])
        mean = hidden[:, specials:].mean(1)
        if how == "mean" or not specials:
            return np.asarray(mean)
        first = hidden[:, 0]
        return np.asarray(first if how == "cls" else np.concatenate([first, mean], axis=1))

    def specials(self, positions: int, side: int) -> int:
        """How many of so many hidden states stand for no patch; they come first."""
        if self.patch:
            return max(0, positions - (side // self.patch) ** 2)
        return int(round((positions - 1) ** 0.5) ** 2 == positions - 1)
