"""What of a pooled vector comes from which part of a picture, on the grid of its patches.

Gradients are taken at the pixels, on the way from the picture's mean colour to the picture, so it
works for any encoder; of a mean over patches each patch's state is its exact share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.attributing import captum
from supertune.backbones.transformers.pooling import as_rows
from supertune.contracts import Encoding, FloatArray, Input, Span

if TYPE_CHECKING:
    from supertune.backbones.transformers.pixels import PixelPiece, PixelReader

STEPS = 16  # points of the path that gradients are taken at
AT_ONCE = 4  # of them in one batch


class PixelAttribution:
    """See `supertune.contracts.Attributing`. Spans are (row, column, rows in all) of the grid."""

    def __init__(self, reader: PixelReader) -> None:
        self.reader, self.backbone = reader, reader.backbone
        self._sides: dict[tuple[int, int | None], int] = {}

    def ways(self, encoding: Encoding) -> tuple[str, ...]:
        pooling = encoding.pooling or self.backbone.offer.pooling
        exact = pooling == "mean" or not self.reader.layout[0]
        return (*(("token_states",) if exact else ()), "integrated_gradients")

    def spans(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Span | None, ...]]:
        specials, side = self.reader.layout[0], self._side(encoding)
        grid = tuple((row, column, side) for row in range(side) for column in range(side))
        return [(*(None,) * specials, *grid)] * len(inputs)

    def token_states(self, inputs: Sequence[Input], encoding: Encoding) -> list[FloatArray]:
        import torch

        found, reader = [], self.reader
        with self.backbone.lock, torch.inference_mode():
            self.backbone.model.eval()
            for piece in self._pieces(inputs, encoding):
                batch = reader.batch([piece], 1, len(piece))
                rows = as_rows(reader.states(batch, encoding).float())[0]
                specials = reader.layout[0]
                rows[:specials] = 0
                found.append(np.asarray((rows / (len(rows) - specials)).cpu().numpy()))
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
        side = self._side(encoding)
        edges = [place * len(pixels) // side for place in range(side)]
        squares = np.add.reduceat(np.add.reduceat(pixels, edges, axis=0), edges, axis=1)
        return np.concatenate([np.zeros(reader.layout[0]), squares.ravel()]), rest

    def _side(self, encoding: Encoding) -> int:
        """Patches along a side, at the layer that is read."""
        import torch

        pixels = self.reader.side(encoding)
        asked = pixels, encoding.layer
        if asked not in self._sides:
            piece = self.reader.pieces(self.reader.samples()[:1], encoding)[0][0]
            with self.backbone.lock, torch.inference_mode():
                states = self.reader.states(self.reader.batch([piece], 1, len(piece)), encoding)
            patches = as_rows(states).shape[1] - self.reader.layout[0]
            self._sides[asked] = round(float(patches) ** 0.5)
        return self._sides[asked]

    def _pieces(self, inputs: Sequence[Input], encoding: Encoding) -> list[PixelPiece]:
        return [pieces[0] for pieces in self.reader.pieces(inputs, encoding)]
