"""A voice mapped to a speaker's: pitch, vocal tract, tempo, tone, and spectra frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from supertune.contracts import HeadSpec, Input, Lens, Options, Problem, State
from supertune.methods import _converting


class VoiceMapOptions(Options):
    """Keys of ``voice_map``."""

    ranges: ClassVar[dict[str, float]] = {"ridge": 10.0}
    tract: float | None = Field(
        None,
        ge=0.7,
        le=1.4,
        description="what frequencies of vowels are multiplied by, as by a shorter vocal tract; "
        "none measures it",
    )
    ridge: float = Field(300.0, gt=0, le=1e7, description="how much the map is held back")


class VoiceMap:
    """See `supertune.contracts.Solver`. Nothing of the backbone is tuned."""

    name = "voice_map"
    summary = "The speaker's pitch, vocal tract, tempo and tone, and a learned map of spectra"
    reference = "Kobayashi and Toda 2018, IEEE SLT; Sakoe and Chiba 1978, IEEE Trans. ASSP 26"
    needs = frozenset({"synthesise"})
    objectives = frozenset({"synthesise"})
    simplicity = 26
    options: type[Options] = VoiceMapOptions
    answering_seconds = _converting.ANSWERING

    def learning_seconds(self, options: Any, inputs: Sequence[Input]) -> float:
        return _converting.learning_seconds(len(inputs), 0.8)

    def fit(self, problem: Problem, options: Any) -> _converting.Converted:
        return _converting.learned(problem, tract=options.tract, mapped=True, ridge=options.ridge)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> _converting.Converted:
        return _converting.restored(state)


METHOD = VoiceMap()
