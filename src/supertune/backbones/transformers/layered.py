"""All layers of an encoder of pictures read in one pass, to choose among them afterwards.

Inner layers of a pretrained encoder often tell few rows apart better than its last, which belongs
to what it was pretrained for (Evci et al. 2022, arXiv:2201.03529, who read all of them at once).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.pooling import pooled
from supertune.backbones.transformers.two_towers import projected
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
            depth, kinds = backbone.offer.depth, self._kinds(batch)
            read = [(layer, kind) for layer in range(1, depth) for kind in kinds]
            read += [(depth, kind) for kind in self._last_kinds(batch)]
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
        return made

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
        """Of each layer, the vector that stands for the whole if there is one, and the mean; of
        the last, what is compared with texts as well."""
        states = [each.float() for each in self.backbone.cutting.through(batch)]
        found = [pooled(each, batch, how) for each in states[:-1] for how in self._kinds(batch)]
        return [*found, *(self._last(states[-1], batch, how) for how in self._last_kinds(batch))]

    def _last(self, states: Any, batch: Batch, how: Pooling) -> Any:
        if how == "projected":
            return projected(self.backbone, states)
        return pooled(states, batch, how)

    def _kinds(self, batch: Batch) -> tuple[Pooling, ...]:
        return ("mean",) if batch.summary is None else ("cls", "mean")

    def _last_kinds(self, batch: Batch) -> tuple[Pooling, ...]:
        compared = self.backbone.offer.pooling == "projected"
        return (*self._kinds(batch), *(("projected",) if compared else ()))
