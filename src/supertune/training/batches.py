"""Rows as token pieces with what enters the cut, ready to be batched in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from supertune.contracts import Encoding, Lens, Problem, Tunable


class Rows:
    """The rows of a problem; below the cut nothing is computed again."""

    def __init__(self, problem: Problem, tunable: Tunable, lens: Lens) -> None:
        import torch

        backbone: Any = lens.backbone
        self.backbone = backbone
        self.encoding: Encoding = lens.encoding
        self.pieces = backbone.tokens(problem.examples.inputs, lens.encoding)
        self.hidden: list[Any] | None = None
        if not tunable.from_input and tunable.cut > 0:
            flat = [piece for pieces in self.pieces for piece in pieces]
            values = iter(lens.activations(flat, tunable.cut))
            self.hidden = [
                [torch.from_numpy(np.array(next(values))) for _ in pieces] for pieces in self.pieces
            ]

    def batch(self, index: Sequence[int]) -> tuple[Any, Any, Any]:
        """Model inputs, hidden states at the cut (or None), and each piece's row in the batch."""
        import torch

        flat = [piece for i in index for piece in self.pieces[i]]
        owner = [place for place, i in enumerate(index) for _ in self.pieces[i]]
        width = max(len(piece.ids) for piece in flat)
        batch = self.backbone.tensors(flat, len(flat), width)
        hidden = None
        if self.hidden is not None:
            states = [state for i in index for state in self.hidden[i]]
            hidden = torch.nn.utils.rnn.pad_sequence(states, batch_first=True)
            hidden = hidden.to(self.backbone.device)
        return batch, hidden, torch.tensor(owner, device=self.backbone.device)


def by_row(pooled: Any, owner: Any, rows: int) -> Any:
    """Mean over the pieces of each row of the batch."""
    import torch

    if len(pooled) == rows:
        return pooled
    sums = torch.zeros(rows, pooled.shape[1], device=pooled.device).index_add(0, owner, pooled)
    return sums / torch.bincount(owner, minlength=rows)[:, None]
