"""What an engine owes that takes the steps of gradient descent by itself.

torch's tensors are trained by a loop of ours. An engine of another framework gets arrays instead:
of each step its rows, as they enter the cut. Which rows those are, at which rate, how often and
from which start is decided outside of it, by the same code for every engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt

from supertune.contracts.backbone import Encoding, Tunable
from supertune.contracts.data import FloatArray, IntArray
from supertune.contracts.task import HeadSpec

Numbers = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class StepRows:
    """Rows of one step.

    Attributes:
        batch: what `Stepping.tensors` made of their pieces.
        hidden: (pieces, tokens, d) what enters the cut; None: the run starts at the input.
        owners: (pieces,) the row of each piece.
        targets: (rows,), or (rows, C) where a row may have several labels.
        weights: (rows,) their shares of the loss, which sum up to 1.
    """

    batch: Any
    hidden: FloatArray | None
    owners: IntArray
    targets: npt.NDArray[Any]
    weights: FloatArray


@dataclass(frozen=True)
class Pace:
    """How AdamW steps: learning rates of the tuned tensors by name and of the head, the decay of
    the former, the largest norm of the whole gradient, and label smoothing."""

    rates: Mapping[str, float]
    head_rate: float
    weight_decay: float
    clip: float
    smoothing: float


class Steps(Protocol):
    """One run of descent, with a tunable in the model and a linear head on its vectors."""

    def take(self, rows: StepRows, factor: float) -> tuple[float, float]:
        """One step at ``factor`` times the rates: the loss before it, and the gradient's norm."""
        ...

    def loss(self, rows: StepRows) -> float: ...
    def numbers(self) -> Numbers:
        """All that is tuned, by name; ``head.weight`` (d, C) and ``head.bias`` (C,) among it."""
        ...

    def put(self, numbers: Mapping[str, npt.NDArray[Any]]) -> None: ...


@runtime_checkable
class Stepping(Protocol):
    """A `Backbone` whose engine takes the steps; its `Offer.tunes` says of what. Its tunables'
    ``run`` takes and gives arrays."""

    def tensors(self, pieces: Any, rows: int, width: int) -> Any: ...
    def steps(
        self,
        tunable: Tunable,
        head: HeadSpec,
        start: tuple[FloatArray, FloatArray],
        encoding: Encoding,
        pace: Pace,
    ) -> Steps:
        """A run from ``start``, the head's weight and bias, with nothing remembered of another."""
        ...
