"""All layers of an encoder of pictures read in one pass, to choose among them afterwards.

Inner layers of a pretrained encoder often tell few rows apart better than its last, which belongs
to what it was pretrained for (Evci et al. 2022, arXiv:2201.03529, who read all of them at once).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.pooling import pooled
from supertune.contracts import Encoding, FloatArray, Part, Pooling

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Batch
    from supertune.backbones.transformers.model import TransformersBackbone


class Layered:
    """See `supertune.contracts.Layered`."""

    def __init__(self, backbone: TransformersBackbone) -> None:
        self.backbone = backbone
        self._parts: tuple[Part, ...] | None = None

    def parts(self) -> tuple[Part, ...]:
        """Found by one run, once a model."""
        import torch

        backbone = self.backbone
        if self._parts is None:
            batch = backbone.unlike_rows()
            with backbone.lock, torch.inference_mode():
                found = [vector.shape[1] for vector in self._vectors(batch)]
            kinds = _kinds(batch)
            starts = np.cumsum([0, *found]).tolist()
            self._parts = tuple(
                Part(1 + number // len(kinds), kinds[number % len(kinds)], start, start + width)
                for number, (start, width) in enumerate(zip(starts, found, strict=False))
            )
        return self._parts

    def readings(self, tokens: Sequence[Any], *, exact: bool = True) -> FloatArray:
        import torch

        flat = [piece for pieces in tokens for piece in pieces]
        made = np.zeros((len(flat), self.parts()[-1].end), dtype=np.float32)

        def run(batch: Batch) -> Any:
            return torch.cat(self._vectors(batch), dim=1)

        for index, found in self.backbone.batched(flat, exact, run):
            made[index] = found
        return made

    def picked(self, readings: FloatArray, encoding: Encoding) -> FloatArray:
        """Of all that one pass gives (n, D), what features are under ``encoding`` (n, d)."""
        offer = self.backbone.offer
        layer = encoding.layer or offer.layer or offer.depth
        how = encoding.pooling or offer.pooling
        chosen = [part for part in self.parts() if part.layer == layer]
        if len(chosen) > 1 and how != "cls_mean":
            chosen = [part for part in chosen if part.pooling == how]
        return np.concatenate([readings[:, part.start : part.end] for part in chosen], axis=1)

    def _vectors(self, batch: Batch) -> list[Any]:
        """Of each layer, the vector that stands for the whole if there is one, and the mean."""
        states = self.backbone.cutting.through(batch)
        return [pooled(each.float(), batch, how) for each in states for how in _kinds(batch)]


def _kinds(batch: Batch) -> tuple[Pooling, ...]:
    return ("mean",) if batch.summary is None else ("cls", "mean")
