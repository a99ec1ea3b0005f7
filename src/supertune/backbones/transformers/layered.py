"""All layers of an encoder of pictures or recordings read in one pass, to choose among them.

Inner layers of a pretrained encoder often tell few rows apart better than its last, which belongs
to what it was pretrained for (Evci et al. 2022, arXiv:2201.03529, who read all of them at once).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.batching import LayerReader
from supertune.backbones.transformers.pooling import per_input
from supertune.contracts import Encoding, FloatArray, Part, Pooling

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Batch
    from supertune.backbones.transformers.model import TransformersBackbone


class Layered:
    """See `supertune.contracts.Layered`."""

    def __init__(self, backbone: TransformersBackbone) -> None:
        assert isinstance(backbone.reader, LayerReader)
        self.backbone, self.reader = backbone, backbone.reader
        self._parts: tuple[Part, ...] | None = None

    def parts(self) -> tuple[Part, ...]:
        """Found by one run, once a model."""
        import torch

        backbone = self.backbone
        if self._parts is None:
            batch = backbone.unlike_rows()
            with backbone.lock, torch.inference_mode():
                found = [vector.shape[1] for vector in self._vectors(batch)]
            depth, kinds = backbone.offer.depth, self.reader.kinds(batch, False)
            read = [(layer, kind) for layer in range(1, depth) for kind in kinds]
            read += [(depth, kind) for kind in self.reader.kinds(batch, True)]
            starts = np.cumsum([0, *found]).tolist()
            self._parts = tuple(
                Part(layer, kind, start, start + width)
                for (layer, kind), start, width in zip(read, starts, found, strict=False)
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
        return per_input(made, [len(pieces) for pieces in tokens])

    def picked(self, readings: FloatArray, encoding: Encoding) -> FloatArray:
        """Of all that one pass gives (n, D), what features are under ``encoding`` (n, d)."""
        offer = self.backbone.offer
        layer = encoding.layer or offer.layer or offer.depth
        how = encoding.pooling or offer.pooling
        chosen = [part for part in self.parts() if part.layer == layer]
        kinds: list[Pooling] = [part.pooling for part in chosen]
        if how == "cls_mean":
            wanted: tuple[Pooling, ...] = ("cls", "mean")
        else:  # as `pooling.pooled` has it where there is no such position
            wanted = (next((one for one in (how, "cls") if one in kinds), "mean"),)
        chosen = [part for part in chosen if part.pooling in wanted]
        return np.concatenate([readings[:, part.start : part.end] for part in chosen], axis=1)

    def _vectors(self, batch: Batch) -> list[Any]:
        """Of each layer, read in every way that its reader knows."""
        reader = self.reader
        *inner, last = [each.float() for each in self.backbone.cutting.through(batch)]
        lower = [
            reader.read(each, batch, how, last=False)
            for each in inner
            for how in reader.kinds(batch, False)
        ]
        return [*lower, *(reader.read(last, batch, how, last=True)
                          for how in reader.kinds(batch, True))]  # fmt: skip
