"""How inputs of unequal length become padded batches.

`exact_batches` is for learning: the shape of a batch follows from the length of its inputs
alone, so a row's result does not depend on what else is computed. `sorted_batches` is for
prediction: as little padding as possible, and the same batches for the same inputs. Where rows
can be packed (`packing`), `packs` does both.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

from supertune.contracts import Attributing, Encoding, FloatArray, Input, Pooling

# Widths in tokens; steps grow with length so that few rows fill few shapes. 72 and 136 stand just
# above 64 and 128, at which people cut.
WIDTHS = (
    *(8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128, 136),
    *(160, 192, 224, 256, 320, 384, 448, 512),
)
EXACT_TOKENS = 256  # a batch this small wastes little on 64 rows and still fills two cores
SORTED_TOKENS = 1024  # from 512 to 2048 makes no difference; docs/log.md


# Indices of the pieces, rows of the batch, its width; of a pack also its tokens, filled up.
BatchPlan = tuple[list[int], int, int] | tuple[list[int], int, int, int]


@dataclass(frozen=True)
class Piece:
    """Token ids of one input or of one part of a long one.

    Attributes:
        types: marks the second text of a pair.
        reads: positions that are read, in a prompt.
        answer: the beginning of an answer, for models with a decoder of its own.
        adapter: which of several adapters in the model it goes through. It is no part of what
            the frozen model sees, so it is no part of a cache key (`repr`).
    """

    ids: tuple[int, ...]
    types: tuple[int, ...] | None = None
    reads: tuple[int, ...] = ()
    answer: tuple[int, ...] = ()
    adapter: int = field(default=0, repr=False)

    def __len__(self) -> int:
        """Positions that it takes."""
        return len(self.ids)

    @property
    def content(self) -> tuple[int, ...]:
        """Equal for what looks the same to the model."""
        return self.ids

    @property
    def kind(self) -> tuple[int, int]:
        """Pieces of one kind can share a batch."""
        return len(self.reads), len(self.answer)

    def own(self, states: FloatArray) -> FloatArray:
        """What belongs to it of a row of hidden states (width, d)."""
        return states[: len(self.ids)]

    @property
    def bare(self) -> Piece:
        """What the frozen part is computed of, wherever it is read and whatever is answered."""
        return Piece(self.ids, self.types)

    def without(self, count: int) -> Piece:
        """The same behind its first ``count`` tokens."""
        reads = tuple(place - count for place in self.reads)
        return replace(self, ids=self.ids[count:], reads=reads)


@dataclass(frozen=True)
class Batch:
    """One padded batch.

    Attributes:
        inputs: what the model is called with.
        mask: (rows, width) ones where a vector is pooled.
        reads: (rows, R) positions that are read in a prompt, of a decoder where there is one.
        answers: (rows, positions) what goes into the decoder.
        fill: tokens that a pack is filled up to, see `packing`; 0: no more than there are.
        adapters: (rows,) which adapter each goes through, where several are in the model.
        summary: of pictures, (rows, 1) the position that stands for the whole; None: none does.
    """

    inputs: dict[str, Any]
    mask: Any
    reads: Any = None
    answers: Any = None
    fill: int = 0
    adapters: Any = None
    summary: Any = None


class Sized(Protocol):
    """What `Piece` has for batches: a picture's pieces have it too."""

    def __len__(self) -> int: ...
    @property
    def kind(self) -> tuple[int, int]: ...
    @property
    def content(self) -> Any: ...
    @property
    def bare(self) -> Hashable: ...
    def own(self, states: FloatArray) -> FloatArray: ...


AnyPiece = TypeVar("AnyPiece", bound=Sized)


class Reader(Protocol):
    """How inputs of one modality become what a model is called with."""

    @property
    def attributing(self) -> Attributing:
        """What of a vector comes from which part of an input."""
        ...

    def pieces(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Any, ...]]:
        """Each input in one piece or in several; nothing is padded yet."""
        ...

    def batch(self, pieces: Sequence[Any], rows: int, width: int, fill: int = 0) -> Batch:
        """Pieces as (rows, width); rows beyond the pieces repeat the first one. Packed, they are
        filled up to ``fill`` positions."""
        ...

    def plan(self, flat: Sequence[Any], exact: bool) -> Iterator[BatchPlan]:
        """Batches of rows that stay apart; ``exact``: a row's bits do not depend on the others."""
        ...

    def samples(self) -> Sequence[Input]:
        """A few unlike inputs, to try out arithmetic on."""
        ...

    def unlike_rows(self) -> Batch:
        """Rows that differ in what they can: what a way of running a model is tried out on."""
        ...


@runtime_checkable
class LayerReader(Protocol):
    """A reader of rows whose hidden states it makes vectors of by itself, at any layer."""

    def vectors(self, batch: Batch, encoding: Encoding, cut: int, hidden: Any | None) -> Any:
        """(rows, d), with gradients if asked for; where ``hidden`` is given it enters ``cut``."""
        ...

    def kinds(self, batch: Batch, last: bool) -> tuple[Pooling, ...]:
        """Ways in which a layer can be read; ``last``: that of the whole model."""
        ...

    def read(self, states: Any, batch: Batch, how: str, *, last: bool) -> Any:
        """(rows, d) of hidden states (rows, positions, d) of a layer."""
        ...


def exact_shape(length: int, longest: int) -> tuple[int, int]:
    """(rows, width) of the batch that ``length`` tokens go into; a model reads ``longest``.

    Where rows share a batch each has padding: attention without any takes another path, and then
    a row's bits would tell whether its neighbours are shorter.
    """
    for width in WIDTHS:
        if length < width or (length == width and 2 * width > EXACT_TOKENS):
            break
    else:
        width = -(-length // 128) * 128
    width = max(length, min(width, longest))
    return (1, width) if length == width else (max(1, EXACT_TOKENS // width), width)


def exact_batches(pieces: Sequence[Piece], longest: int = 1 << 30) -> Iterator[BatchPlan]:
    """Groups of one shape, each filled up to its number of rows."""
    by_shape: dict[tuple[tuple[int, int], tuple[int, int]], list[int]] = {}
    for index, piece in enumerate(pieces):
        shape = exact_shape(len(piece.ids), longest)
        by_shape.setdefault((shape, piece.kind), []).append(index)
    for (rows, width), kind in sorted(by_shape):
        members = by_shape[(rows, width), kind]
        for start in range(0, len(members), rows):
            yield members[start : start + rows], rows, width


def packs(pieces: Sequence[Piece], most: int, grain: int) -> Iterator[BatchPlan]:
    """Pieces in order of length and content, side by side up to ``most`` tokens (or one that is
    longer), then filled up to a multiple of ``grain``."""
    lengths, kinds = _lengths(pieces), [piece.kind for piece in pieces]
    for batch in cut(_by_length(pieces), lengths, most, kinds=kinds, padded=False):
        tokens = sum(lengths[index] for index in batch)
        yield batch, len(batch), lengths[batch[-1]], -(-tokens // grain) * grain


def sorted_batches(pieces: Sequence[Piece], tokens: int = SORTED_TOKENS) -> Iterator[BatchPlan]:
    """Pieces in order of length and content, cut where a batch would exceed ``tokens``."""
    lengths, kinds = _lengths(pieces), [piece.kind for piece in pieces]
    for batch in cut(_by_length(pieces), lengths, tokens, kinds=kinds):
        yield batch, len(batch), lengths[batch[-1]]


def cut(
    order: Sequence[int],
    lengths: Sequence[int],
    most: int,
    *,
    counts: Sequence[int] | None = None,
    kinds: Sequence[object] | None = None,
    padded: bool = True,
) -> Iterator[list[int]]:
    """Indices in ``order``, shorter before longer, cut where a batch would exceed ``most`` tokens.

    Args:
        counts: of how many rows of the batch each is made; 1 by default.
        kinds: only those of one kind share a batch.
        padded: whether every row is as wide as the longest of its batch.
    """
    batch: list[int] = []
    rows = tokens = 0
    for index in order:
        own = 1 if counts is None else counts[index]
        size = (rows + own) * lengths[index] if padded else tokens + lengths[index]
        unlike = bool(batch) and kinds is not None and kinds[batch[-1]] != kinds[index]
        if batch and (size > most or unlike):
            yield batch
            batch, rows, tokens = [], 0, 0
        batch.append(index)
        rows += own
        tokens += lengths[index]
    if batch:
        yield batch


def _lengths(pieces: Sequence[Piece]) -> list[int]:
    return [len(piece) for piece in pieces]


def _by_length(pieces: Sequence[Piece]) -> list[int]:
    return sorted(
        range(len(pieces)), key=lambda i: (pieces[i].kind, len(pieces[i].ids), pieces[i].ids)
    )
