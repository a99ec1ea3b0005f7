"""The source as its own translation: what costs nothing and is right for names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supertune.contracts import (
    FloatArray,
    HeadSpec,
    Input,
    Lens,
    Options,
    Problem,
    State,
    Translated,
)
from supertune.contracts.translation import flagged


class CopiedOptions(Options):
    """Keys of ``copied``: none."""


@dataclass(frozen=True, eq=False)
class AsItStands:
    """See `supertune.contracts.Tuned`."""

    head: HeadSpec

    @property
    def tuned_parameters(self) -> int:
        return 0

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        """(n, W) texts."""
        return flagged([Translated(str(value)) for value in inputs], self.head.translation)

    def state(self) -> State:
        return State({})


class Copied:
    """See `supertune.contracts.Solver`."""

    name = "copied"
    summary = "The source itself; nothing is translated"
    reference = "a baseline"
    needs: frozenset[str] = frozenset()
    objectives = frozenset({"translate"})
    modalities = ("text",)
    simplicity = 1
    options: type[Options] = CopiedOptions

    def fit(self, problem: Problem, options: Any) -> AsItStands:
        return AsItStands(problem.head)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> AsItStands:
        return AsItStands(head)


METHOD = Copied()
