"""How inputs of unequal length become padded batches.

`exact_batches` is for learning: the shape of a batch follows from the length of its inputs
alone, so a row's result does not depend on what else is computed. `sorted_batches` is for
prediction: as little padding as possible, and the same batches for the same inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Widths in tokens; steps grow with length so that few rows fill few shapes.
WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512)
EXACT_TOKENS = 256  # a batch this small wastes little on 64 rows and still fills two cores
SORTED_TOKENS = 2048

BatchPlan = tuple[list[int], int, int]  # indices of the pieces, rows of the batch, its width


@dataclass(frozen=True)
class Piece:
    """Token ids of one input or of one part of a long one; ``types`` marks the second text."""

    ids: tuple[int, ...]
    types: tuple[int, ...] | None = None


def padded_width(length: int) -> int:
    """The smallest width of the ladder that holds ``length`` tokens."""
    for width in WIDTHS:
        if length <= width:
            return width
    return -(-length // 512) * 512


def exact_batches(pieces: Sequence[Piece]) -> Iterator[BatchPlan]:
    """Groups of one width, each filled up to a fixed number of rows."""
    by_width: dict[int, list[int]] = {}
    for index, piece in enumerate(pieces):
        by_width.setdefault(padded_width(len(piece.ids)), []).append(index)
    for width in sorted(by_width):
        rows = max(1, EXACT_TOKENS // width)
        members = by_width[width]
        for start in range(0, len(members), rows):
            yield members[start : start + rows], rows, width


def sorted_batches(pieces: Sequence[Piece], tokens: int = SORTED_TOKENS) -> Iterator[BatchPlan]:
    """Pieces in order of length and content, cut where a batch would exceed ``tokens``."""
    order = sorted(range(len(pieces)), key=lambda i: (len(pieces[i].ids), pieces[i].ids))
    batch: list[int] = []
    for index in order:
        width = len(pieces[index].ids)
        if batch and (len(batch) + 1) * width > tokens:
            yield batch, len(batch), len(pieces[batch[-1]].ids)
            batch = []
        batch.append(index)
    if batch:
        yield batch, len(batch), len(pieces[batch[-1]].ids)
