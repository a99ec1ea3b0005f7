"""Pictures through an encoder of Keras: squares of pixels in, channels last; no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.backbones import _sentence_folder as sentence_folder
from supertune.backbones._sentence_folder import read_json
from supertune.backbones._text_rows import Numbers
from supertune.backbones.keras.declared import PICTURES, PROCESSOR
from supertune.backbones.transformers import preprocessing
from supertune.backbones.transformers.squares import PixelPiece, Squares, picture
from supertune.contracts import BackboneRef, Encoding, FloatArray, Input, Offer
from supertune.errors import InputError

ROWS = 8  # of a batch


class PictureRows:
    """Pieces of pictures, and batches of them; what `TextRows` is for texts.

    Args:
        folder: where ``preprocessor_config.json`` is.

    Raises:
        InputError: ``image_processor_unreadable``.
    """

    def __init__(self, ref: BackboneRef, offer: Offer, folder: Path) -> None:
        self.ref, self.offer = ref, offer
        values = read_json(folder / PROCESSOR) or {}
        try:
            self.preprocessing = preprocessing.written(values)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                "image_processor_unreadable",
                f"How {ref.name} wants its pictures cannot be read.",
                received=f"{type(error).__name__}: {error}",
                allowed=f'{PROCESSOR} with {{"size": {{"height": 224, "width": 224}}, '
                '"image_mean": [...], "image_std": [...]}',
                next="Write it beside the model, as image processors of transformers do.",
            ) from None
        self.settings = f"{sentence_folder.settings_hash(folder)}, {values!r}"
        self._squares = Squares(self.preprocessing)

    def pieces(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[PixelPiece, ...]]:
        side = encoding.resolution or self.offer.resolution
        mode = encoding.resize_mode or self.offer.resize_mode
        return [
            (PixelPiece(picture(one, self.ref), side, mode=mode, positions=1),) for one in inputs
        ]

    def vectors(
        self,
        tokens: Sequence[tuple[PixelPiece, ...]],
        exact: bool,
        run: Callable[[Numbers], FloatArray],
    ) -> FloatArray:
        """(n, d): ``run`` gives (rows, d) of ``pixel_values``, (rows, side, side, 3) float32."""
        flat = [piece for pieces in tokens for piece in pieces]
        found = np.zeros((len(flat), self.offer.width), np.float32)
        for index, batch in self.batches(flat, exact):
            made = run(batch)[: len(index)]
            if self.offer.normalize:
                made = made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12)
            found[index] = made
        return found

    def batches(
        self, flat: Sequence[PixelPiece], exact: bool
    ) -> Iterator[tuple[list[int], dict[str, npt.NDArray[Any]]]]:
        """In order of content; ``exact``: filled up to one number of rows."""
        order = sorted(range(len(flat)), key=lambda i: flat[i].content)
        for start in range(0, len(order), ROWS):
            some = order[start : start + ROWS]
            yield some, self.batch([flat[i] for i in some], ROWS if exact else len(some), 1)

    def batch(
        self, pieces: Sequence[PixelPiece], rows: int, width: int
    ) -> dict[str, npt.NDArray[Any]]:
        """Rows beyond the pieces repeat the first one."""
        values = self.preprocessing.normalised(self._squares.of(pieces)).transpose(0, 2, 3, 1)
        return {PICTURES: values[[row if row < len(pieces) else 0 for row in range(rows)]]}
