"""What takes part in saying which words of a source a translation was written from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from supertune.contracts.backbone import Lens
from supertune.contracts.data import FloatArray
from supertune.contracts.translation import Rendered, Translating


@runtime_checkable
class Looking(Translating, Protocol):
    """A `Translating` backbone whose decoder can be watched."""

    def looked(self, states: Any, texts: Sequence[Sequence[int]]) -> list[FloatArray]:
        """For each of B texts (its tokens, tokens of its source): how much was looked at which
        when each token was written, of all that was looked at."""
        ...

    def spans(self, text: str, *, answer: bool = False) -> list[tuple[int, int]]:
        """First character of each token of a source, or of an ``answer``, and the one behind its
        last, without the token that ends it; what is not of the text stands at (0, 0)."""
        ...

    def hidden(self, piece: Any, places: Collection[int]) -> Any:
        """A piece of `read` with the unknown token in these places."""
        ...


@runtime_checkable
class Aligning(Rendered, Protocol):
    """A `Rendered` whose translations can be told word by word."""

    def entered(self, lens: Lens) -> AbstractContextManager[int]:
        """Inside, the backbone is as tuned; gives the block where runs begin."""
        ...
