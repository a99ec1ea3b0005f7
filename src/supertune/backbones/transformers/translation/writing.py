"""Decoders that write word after word, as decoding sees them, whatever each remembers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class States:
    """(B, S, d) what the encoder gives, and (B, S) where that is of a token."""

    hidden: Any
    mask: Any

    def __len__(self) -> int:
        return len(self.hidden)


class Memory(Protocol):
    """What is known of B sources and of what was written of each."""

    def take(self, rows: Any, sources: Any | None = None) -> None:
        """Go on with these rows alone, in this order.

        Args:
            sources: if given, the sources that are gone on with; each has as many rows as another.
        """
        ...


class Writer(Protocol):
    """A decoder and its output layer.

    Attributes:
        forced: tokens that a translation has before those that are chosen, which count in its
            length.
        forbidden: tokens that are never written.
        most: tokens of a translation at most; None: as many as are wanted.
    """

    @property
    def forced(self) -> int: ...
    @property
    def forbidden(self) -> tuple[int, ...]: ...
    @property
    def most(self) -> int | None: ...
    def begin(self, states: States, *, once: bool = False) -> Any:
        """The `Memory` before the first word; ``once``: all is written at one time."""
        ...

    def write(self, tokens: Any | None, memory: Any) -> Any:
        """(B, L) words that were written -> (B, L, d) where the next ones are, and one more, for
        the first word, where nothing was written; ``memory`` is brought forward."""
        ...

    def words(self, hidden: Any, among: Any | None = None) -> Any:
        """Logits of all words, or of those ``among`` them; (..., d) -> (..., V)."""
        ...

    def watching(self) -> AbstractContextManager[list[Any]]:
        """Inside, each `write` leaves (B, L, S) how much it looked at which token of the source."""
        ...


class SummingWriter:
    """Bergamot's, whose memory is a sum; see `supertune.architectures.bergamot`."""

    forced = 0
    forbidden: tuple[int, ...] = ()
    most: int | None = None

    def __init__(self, model: Any) -> None:
        self.model = model

    def begin(self, states: States, *, once: bool = False) -> Any:
        return self.model.get_decoder().begin(states.hidden, states.mask)

    def write(self, tokens: Any | None, memory: Any) -> Any:
        return self.model.get_decoder()(tokens, memory)

    def words(self, hidden: Any, among: Any | None = None) -> Any:
        return self.model.words(hidden, among)

    @contextmanager
    def watching(self) -> Iterator[list[Any]]:
        """The first head of the last block, which was taught to look at the word that is translated
        (guided alignment, Chen et al. 2016, arXiv:1607.01628)."""
        noted: list[Any] = []

        def look(attention: Any, given: tuple[Any, ...]) -> None:
            hidden, keys, _, mask = given
            noted.append(attention.looked(hidden, keys, mask))

        last = self.model.get_decoder().layers[-1].encoder_attn
        handle = last.register_forward_pre_hook(look)
        try:
            yield noted
        finally:
            handle.remove()
