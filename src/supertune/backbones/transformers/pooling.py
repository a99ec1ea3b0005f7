"""From hidden states to one vector a row, where rows stand apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.packing import at
from supertune.contracts import FloatArray

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Batch


def as_rows(hidden: Any) -> Any:
    """(rows, positions, d) of hidden states, or of maps (rows, d, height, width)."""
    return hidden.flatten(2).transpose(1, 2) if hidden.dim() == 4 else hidden


def pooled(hidden: Any, batch: Batch, how: str) -> Any:
    """(rows, d) of hidden states (rows, positions, d) or of maps; of ``"cls_mean"`` (rows, 2 d).

    Where no position stands for the whole, as in a convolutional network, it is the mean. Of an
    inner layer, which nothing projects, ``"projected"`` is the position that does.
    """
    import torch

    rows = as_rows(hidden)
    if batch.summary is None:
        return rows.mean(1)
    first = at(rows, batch.summary)[:, 0]
    if how in ("cls", "projected"):
        return first
    weight = batch.mask.unsqueeze(-1).to(rows.dtype)
    mean = (rows * weight).sum(1) / weight.sum(1)
    return mean if how == "mean" else torch.cat([first, mean], dim=1)


def per_input(vectors: FloatArray, counts: list[int]) -> FloatArray:
    """Mean over the pieces of each input."""
    if all(count == 1 for count in counts):
        return vectors
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sums = np.add.reduceat(vectors, starts, axis=0)
    return np.asarray(sums / np.asarray(counts, dtype=np.float32)[:, None], dtype=np.float32)
