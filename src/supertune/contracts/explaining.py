"""What takes part in explaining an answer: which words it came from, and which labelled rows.

All of it is optional. What offers none of it is explained by taking words away and asking again
(occlusion), for which `Tuned.logits` suffices.

A *contrast* (C,) weighs a model's outputs into the one number that is explained: of a label its
score less the others', of a value the value itself or its opposite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from supertune.contracts.answers import Answers
from supertune.contracts.backbone import Encoding, Lens
from supertune.contracts.data import FloatArray, Input
from supertune.contracts.method import Problem, Tuned
from supertune.contracts.task import HeadSpec

# Field of the input, first character, and the character behind the last.
Span = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Contribution:
    """What spans of one input add to its contrast.

    Attributes:
        spans: S of them; those of tokens and of word pairs may overlap.
        shares: (S,), which with ``rest`` add up to the contrast.
        rest: what belongs to no span: an offset, tokens that the model puts around a text, and
            of integrated gradients the answer to the blank text that they start from.
    """

    spans: tuple[Span, ...]
    shares: FloatArray
    rest: float


@runtime_checkable
class Explains(Tuned, Protocol):
    """A `Tuned` that can say what each part of an input adds."""

    def ways(self, lens: Lens | None) -> tuple[str, ...]:
        """Of ``"terms"`` (an exact sum over words), ``"token_states"`` (an exact sum over
        what the backbone makes of each token), ``"integrated_gradients"`` those it offers
        here; empty where it is a black box."""
        ...

    def contributions(
        self, inputs: Sequence[Input], contrasts: FloatArray, lens: Lens | None, way: str
    ) -> list[Contribution]:
        """For each of n inputs, under its row of ``contrasts`` (n, C)."""
        ...


@runtime_checkable
class Comparing(Tuned, Protocol):
    """A `Tuned` that has its own idea of which inputs are alike; otherwise features tell."""

    def likeness(
        self, inputs: Sequence[Input], others: Sequence[Input], lens: Lens | None
    ) -> FloatArray:
        """(n, m) cosines."""
        ...


@runtime_checkable
class Influencing(Protocol):
    """A `Method` that knows what it would answer without one of its rows."""

    def influence(self, problem: Problem, options: Any, inputs: Sequence[Input]) -> FloatArray:
        """(inputs, rows, C): the logits less those of a model fitted without the row, with the
        penalty and the temperature left as they are."""
        ...


class Attributing(Protocol):
    """What of a vector comes from which token."""

    def ways(self, encoding: Encoding) -> tuple[str, ...]:
        """Of ``"token_states"`` and ``"integrated_gradients"`` those that work so encoded."""
        ...

    def spans(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Span | None, ...]]:
        """For each input the span of each token, None for what is no part of it."""
        ...

    def token_states(self, inputs: Sequence[Input], encoding: Encoding) -> list[FloatArray]:
        """For each input (its tokens, d), which add up to its `Backbone.features`."""
        ...

    def integrated_gradients(
        self, inputs: Sequence[Input], encoding: Encoding, weights: FloatArray, unit: bool
    ) -> list[tuple[FloatArray, float]]:
        """For each input (its tokens,) and the rest, which add up to features @ ``weights``
        (n, d) in its row; ``unit``: of features scaled to length 1 (Sundararajan et al. 2017,
        arXiv:1703.01365).

        Raises:
            EnvironmentFault: ``extra_missing`` without Captum.
        """
        ...


@runtime_checkable
class Attributable(Protocol):
    """A `Backbone` that can be asked about its tokens."""

    @property
    def attributing(self) -> Attributing: ...


@runtime_checkable
class Contrasting(Protocol):
    """A `Judge` whose answers can be explained."""

    def output(self, logits: FloatArray, head: HeadSpec) -> int:
        """Which of the outputs (C,) is explained."""
        ...

    def contrast(
        self, logits: FloatArray, blank: FloatArray, output: int, head: HeadSpec
    ) -> FloatArray:
        """(C,) for an input's logits (C,) and those of an input without content."""
        ...

    def strength(
        self, logits: FloatArray, output: int, contrast: FloatArray, head: HeadSpec
    ) -> FloatArray:
        """(n,) how strongly logits (n, C) say what is explained: a probability, or a value."""
        ...

    def decisions(self, answers: Answers) -> tuple[Any, ...] | None:
        """(n,) what is decided, to see whether it flips; None where nothing is decided."""
        ...
