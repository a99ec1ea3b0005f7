"""A voice as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supertune.contracts import FloatArray, Input, Lens, Problem, Speaking, State
from supertune.methods import _voices


@dataclass(frozen=True, eq=False)
class AsItSpeaks:
    """See `supertune.contracts.Voicing`. ``ends`` are those of the rows that it is held to."""

    ends: _voices.Ends

    @classmethod
    def of(cls, problem: Problem) -> AsItSpeaks:
        assert problem.lens is not None
        return cls(_voices.Ends.of(problem.examples.inputs, problem.lens))

    @classmethod
    def restored(cls, state: State) -> AsItSpeaks:
        return cls(_voices.Ends.restored(state.arrays))

    @property
    def tuned_parameters(self) -> int:
        return 0

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, 10) figures."""
        assert lens is not None
        return _voices.figures(inputs, self.ends, lens, None, lens.backbone.activations)

    def held_out(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        return _voices.figures(inputs, self.ends, lens, None, lens.activations)

    def spoken(self, text: str, how: Speaking, lens: Lens) -> FloatArray:
        return _voices.voice_of(lens).spoken(text, how)

    def state(self) -> State:
        return State(self.ends.arrays)
