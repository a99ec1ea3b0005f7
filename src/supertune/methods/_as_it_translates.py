"""What translates, as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from supertune.contracts import FloatArray, HeadSpec, Input, Lens, Rendering, State, Translated
from supertune.contracts.translation import flagged
from supertune.data.pairs import rendering


@dataclass(frozen=True, eq=False)
class AsItTranslates:
    """See `supertune.contracts.Aligning`."""

    head: HeadSpec

    @property
    def tuned_parameters(self) -> int:
        return 0

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, W) texts."""
        return self._answers(inputs, lens, keep=False)

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        return self._answers(inputs, lens, keep=True)

    def _answers(self, inputs: Sequence[Input], lens: Lens | None, *, keep: bool) -> FloatArray:
        assert lens is not None
        found = list(self.translate(inputs, lens, Rendering(), keep=keep))
        return flagged(found, self.head.translation)

    def translate(
        self, inputs: Sequence[Input], lens: Lens, how: Rendering, *, keep: bool = False
    ) -> Iterator[Translated]:
        texts = [str(value) for value in inputs]
        yield from rendering.translated(texts, lens, how, keep=keep)

    def entered(self, lens: Lens) -> AbstractContextManager[int]:
        """See `supertune.contracts.Aligning`."""
        return nullcontext(lens.backbone.offer.depth)

    def state(self) -> State:
        return State({})
