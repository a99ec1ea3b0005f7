"""A voice with the pitch, tempo and tone of another; its sounds stay its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from supertune.contracts import HeadSpec, Input, Lens, Options, Problem, State
from supertune.methods import _converting


class PitchShiftOptions(Options):
    """Keys of ``pitch_shift``."""

    tract: float | None = Field(
        1.0,
        ge=0.7,
        le=1.4,
        description="what frequencies of vowels are multiplied by, as by a shorter vocal tract; "
        "none measures it",
    )


class PitchShift:
    """See `supertune.contracts.Solver`. Nothing of the backbone is tuned."""

    name = "pitch_shift"
    summary = "The speaker's pitch, tempo and tone, taken over by the voice as it is"
    reference = "Moulines and Charpentier 1990, Speech Communication 9"
    needs = frozenset({"synthesise"})
    objectives = frozenset({"synthesise"})
    simplicity = 9
    options: type[Options] = PitchShiftOptions
    answering_seconds = _converting.ANSWERING

    def learning_seconds(self, options: Any, inputs: Sequence[Input]) -> float:
        return _converting.learning_seconds(len(inputs), 0.45)

    def fit(self, problem: Problem, options: Any) -> _converting.Converted:
        return _converting.learned(problem, tract=options.tract, mapped=False, ridge=0.0)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> _converting.Converted:
        return _converting.restored(state)


METHOD = PitchShift()
