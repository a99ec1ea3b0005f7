"""Rows as token pieces with what enters the cut, ready to be batched in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from supertune.backbones.transformers.batching import cut
from supertune.contracts import Encoding, FloatArray, Input, IntArray, Lens, Stepping, Tunable
from supertune.limits import check
from supertune.training.replay import Replay

TOKENS = 1024  # of a batch that only answers


class Rows:
    """Inputs as they are read; below the cut nothing is computed again.

    Attributes:
        pieces: of each row.
        hidden: what enters the cut for each piece, row after row; None: runs start at the input.
        draws: the same with dropout below the cut, drawn several times.
        views: the rows seen otherwise.

    Args:
        dropout, draws: the share that is dropped below the cut, and how often it is drawn.
        views: the inputs seen otherwise, each time all of them; see `Modality.varied`.
        sharers: how many of these share the memory.
        started: whether a readout starts at what the backbone makes of the inputs.
    """

    def __init__(
        self,
        inputs: Sequence[Input],
        tunable: Tunable,
        lens: Lens,
        *,
        dropout: float = 0.0,
        draws: int = 0,
        views: Sequence[Sequence[Input]] = (),
        sharers: int = 1,
        started: bool = True,
    ) -> None:
        backbone: Any = lens.backbone
        self.backbone = backbone
        self.encoding: Encoding = lens.encoding
        self.pieces = backbone.tokens(inputs, lens.encoding)
        self.hidden: Replay | None = None
        self.draws: list[Replay] = []
        self._first = np.cumsum([0, *map(len, self.pieces)]).tolist()  # piece of each row
        if lens.encoding.reuse and not tunable.from_input and tunable.cut > 0:
            flat = [piece for pieces in self.pieces for piece in pieces]
            several = (1 + draws) * (1 + len(views)) * sharers
            if started:
                lens.read_through(inputs, tunable.cut)  # what it starts from is on its way
            self.hidden = Replay(lens, flat, tunable.cut, sharers=several)
            self.draws = [
                Replay(lens, flat, tunable.cut, sharers=several, dropout=dropout, draw=draw)
                for draw in range(draws)
            ]
        kept: dict[str, Any] = {"dropout": dropout, "draws": draws, "sharers": 1 + len(views)}
        self.views = [Rows(each, tunable, lens, **kept, started=False) for each in views]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row, in its longest view."""
        own = [sum(map(len, pieces)) for pieces in self.pieces]
        return [max(each) for each in zip(own, *(view.lengths for view in self.views), strict=True)]

    def batch(self, index: Sequence[int], draw: int | None = None) -> tuple[Any, Any, Any]:
        """Model inputs, hidden states at the cut (or None), and each piece's row in the batch.

        ``draw`` counts through views, the rows as they are first, and with each round of them
        through those with dropout below the cut, where there are any. Without it the rows are
        what they are.
        """
        import torch

        batch, hidden, owner = self.arrays(index, draw)
        device = self.backbone.device
        entering = None if hidden is None else torch.from_numpy(hidden).to(device)
        return batch, entering, torch.from_numpy(owner).to(device)

    def arrays(
        self, index: Sequence[int], draw: int | None = None
    ) -> tuple[Any, FloatArray | None, IntArray]:
        """The same, of which all but the model inputs are arrays."""
        if draw is not None and self.views:
            draw, view = divmod(draw, 1 + len(self.views))
            if view:
                return self.views[view - 1].arrays(index, draw)

        flat = [piece for i in index for piece in self.pieces[i]]
        owner = [place for place, i in enumerate(index) for _ in self.pieces[i]]
        width = max(len(piece) for piece in flat)
        batch = self.backbone.tensors(flat, len(flat), width)
        hidden = None
        if self.hidden is not None:
            numbers = [n for i in index for n in range(self._first[i], self._first[i + 1])]
            kept = self.hidden
            if draw is not None and self.draws:
                kept = self.draws[draw % len(self.draws)]
            hidden = kept.padded(numbers)
        return batch, hidden, np.asarray(owner, dtype=np.int64)

    def read(
        self, index: Sequence[int], tunable: Tunable, *, words: bool, replay: bool = True
    ) -> FloatArray:
        """What a readout reads of rows that a run can take together, (rows, d) or (rows, W), with
        ``tunable`` in the model; without gradients. Without ``replay`` from the input on."""
        if isinstance(self.backbone, Stepping):
            batch, hidden, owner = self.arrays(index)
            found = tunable.run(batch, hidden if replay else None, self.encoding)
            return _means(found, owner, len(index))
        import torch

        with torch.no_grad():
            batch, hidden, owner = self.batch(index)
            given = hidden if replay else None
            values = tunable.run(batch, given, self.encoding, words=words)
            rows = values if words else by_row(values, owner, len(index))
            return np.asarray(rows.float().cpu().numpy())

    def values(self, tunable: Tunable, *, words: bool) -> FloatArray:
        """The same of every row, from the cut on."""

        def read(index: Sequence[int]) -> FloatArray:
            check()
            return self.read(index, tunable, words=words)

        found: list[Any] = [None] * len(self.pieces)
        for index in self._by_length():
            parts = self.backbone.splitting.over(index, lambda parts: list(map(read, parts)))
            for i, row in zip(index, (row for part in parts for row in part), strict=True):
                found[i] = row
        return np.stack(found)

    def _by_length(self) -> Iterator[list[int]]:
        """Rows of like length and kind together, so that little is padded."""
        sizes = [max(len(piece) for piece in pieces) for pieces in self.pieces]
        for rows in self.alike(range(len(sizes))):
            order = sorted(rows, key=lambda i: (sizes[i], repr(self.pieces[i])))
            yield from cut(order, sizes, TOKENS, counts=[len(pieces) for pieces in self.pieces])

    def alike(self, index: Sequence[int]) -> list[list[int]]:
        """Places in ``index`` of rows that a run can take together: of recordings those that are
        read in windows of one length; all others."""
        found: dict[int, list[int]] = {}
        for place, row in enumerate(index):
            window = getattr(self.pieces[row][0], "window", 0)
            found.setdefault(window, []).append(place)
        return list(found.values())


def by_row(pooled: Any, owner: Any, rows: int) -> Any:
    """Mean over the pieces of each row of the batch."""
    import torch

    if len(pooled) == rows:
        return pooled
    sums = torch.zeros(rows, pooled.shape[1], device=pooled.device).index_add(0, owner, pooled)
    return sums / torch.bincount(owner, minlength=rows)[:, None]


def _means(pooled: FloatArray, owner: IntArray, rows: int) -> FloatArray:
    if len(pooled) == rows:
        return pooled
    sums = np.zeros((rows, pooled.shape[1]), dtype=pooled.dtype)
    np.add.at(sums, owner, pooled)
    return np.asarray(sums / np.bincount(owner, minlength=rows)[:, None])
