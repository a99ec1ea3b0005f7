"""What of a pooled vector comes from which part of a picture, on a grid laid over the picture.

Gradients are taken at the pixels, on the way from the picture's mean colour to the picture, so it
works for any encoder; of a mean over patches each patch's state is its exact share. Either is led
back from the square that the model reads to the picture that it was made of: what lies in the
margin of a padded square belongs to no part, and what a crop left out has a share of zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.attributing import captum
from supertune.backbones.transformers.pooling import as_rows
from supertune.contracts import Encoding, FloatArray, Input, Span
from supertune.data.pictures import decoding

if TYPE_CHECKING:
    from supertune.backbones.transformers.pixels import PixelPiece, PixelReader

STEPS = 16  # points of the path that gradients are taken at
AT_ONCE = 4  # of them in one batch
GRID = 16  # cells along each side of a picture that shares are given for


class PixelAttribution:
    """See `supertune.contracts.Attributing`.

    Of each picture the first share belongs to no part of it; the spans of the others are (row,
    column, rows in all) of a grid of `GRID` x `GRID` cells.
    """

    def __init__(self, reader: PixelReader) -> None:
        self.reader, self.backbone = reader, reader.backbone

    def ways(self, encoding: Encoding) -> tuple[str, ...]:
        pooling = encoding.pooling or self.backbone.offer.pooling
        exact = pooling == "mean" or not self.reader.layout[0]
        return (*(("token_states",) if exact else ()), "integrated_gradients")

    def spans(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Span | None, ...]]:
        grid = tuple((row, column, GRID) for row in range(GRID) for column in range(GRID))
        return [(None, *grid)] * len(inputs)

    def token_states(self, inputs: Sequence[Input], encoding: Encoding) -> list[FloatArray]:
        import torch

        found, reader = [], self.reader
        with self.backbone.lock, torch.inference_mode():
            self.backbone.model.eval()
            for piece in self._pieces(inputs, encoding):
                batch = reader.batch([piece], 1, len(piece))
                rows = as_rows(reader.states(batch, encoding).float())[0].cpu().numpy()
                patches = rows[reader.layout[0] :]
                side = round(float(len(patches)) ** 0.5)
                states = patches.reshape(side, side, -1) / len(patches)
                found.append(self._on_picture(states, piece))
        return found

    def integrated_gradients(
        self, inputs: Sequence[Input], encoding: Encoding, weights: FloatArray, unit: bool
    ) -> list[tuple[FloatArray, float]]:
        with self.backbone.lock:
            self.backbone.model.eval()
            return [
                self._integrated(piece, encoding, weight, unit)
                for piece, weight in zip(self._pieces(inputs, encoding), weights, strict=True)
            ]

    def _integrated(
        self, piece: PixelPiece, encoding: Encoding, weight: FloatArray, unit: bool
    ) -> tuple[FloatArray, float]:
        """(positions,) and the answer to the picture's mean colour."""
        import torch

        reader, device = self.reader, self.backbone.device
        toward = torch.as_tensor(weight, dtype=torch.float32, device=device)
        given = reader.batch([piece], 1, len(piece)).inputs["pixel_values"]
        start = given.mean((2, 3), keepdim=True).expand_as(given).contiguous()

        def answer(pixels: Any) -> Any:
            batch = reader.batch([piece], len(pixels), len(piece))
            batch = replace(batch, inputs={**batch.inputs, "pixel_values": pixels})
            vectors = reader.vectors(batch, encoding, 0, None)
            if unit:
                vectors = torch.nn.functional.normalize(vectors, dim=-1)
            return vectors @ toward

        with torch.enable_grad():
            shares = captum().IntegratedGradients(answer).attribute(
                given, baselines=start, n_steps=STEPS, internal_batch_size=AT_ONCE
            )  # fmt: skip
        with torch.no_grad():
            rest = float(answer(start)[0])
        pixels = np.asarray(shares[0].sum(0).detach().cpu().numpy(), dtype=np.float64)
        return self._on_picture(pixels[..., None], piece)[:, 0], rest

    def _on_picture(self, shares: FloatArray, piece: PixelPiece) -> FloatArray:
        """(1 + cells, d) of shares (side, side, d) of the square: what lies beside the picture,
        and what lies in each cell of the grid over it, by area."""
        size = decoding.opened(piece.picture).size
        left, top, width, height = self.reader.preprocessing.placed(size, piece.side, piece.mode)
        down = _overlaps(len(shares), top / piece.side, height / piece.side)
        across = _overlaps(len(shares), left / piece.side, width / piece.side)
        cells = np.einsum("ai,bj,ijd->abd", down, across, shares, optimize=True)
        cells = cells.reshape(GRID * GRID, -1)
        return np.concatenate([shares.sum((0, 1))[None] - cells.sum(0, keepdims=True), cells])

    def _pieces(self, inputs: Sequence[Input], encoding: Encoding) -> list[PixelPiece]:
        return [pieces[0] for pieces in self.reader.pieces(inputs, encoding)]


def _overlaps(places: int, start: float, length: float) -> FloatArray:
    """(GRID, places): how much of each of so many equal places along a line from 0 to 1 lies in
    each cell of a grid that begins at ``start``."""
    edges = np.linspace(start, start + length, GRID + 1)[:, None] * places
    low = np.arange(places)[None]
    covered = np.clip(edges - low, 0.0, 1.0)
    return np.asarray(np.diff(covered, axis=0))
