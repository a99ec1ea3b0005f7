"""What an objective owes once a method has answered: weights, baselines, and what scores mean.

Tasks of one objective share all of this, whatever their rows are. Nothing behind a task's own
`score` assumes what an answer is: it asks the objective.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

from supertune.contracts.data import Answers, Examples, Finding, FloatArray
from supertune.contracts.task import HeadSpec

ClassWeights = str | Mapping[str, float] | None


@dataclass(frozen=True, eq=False)
class Judged:
    """Answers and what they are judged on: a test file (n, C), or folds (R, n, C)."""

    examples: Examples
    answers: FloatArray
    on_test: bool
    folds: int | None = None

    @property
    def mean(self) -> FloatArray:
        """(n, C): the mean over repeats."""
        return self.answers if self.on_test else self.answers.mean(axis=0)


class Judge(Protocol):
    """One file in ``objectives/``; the file's name is the objective."""

    name: str
    summary: str
    baselines: tuple[str, ...]  # what costs nothing, judged beside every model
    # The baseline that a verdict compares with, and what it is called: the first there is.
    rivals: tuple[tuple[str, str], ...]

    def tried(self, rows: str) -> tuple[str, ...]:
        """Methods that `auto` tries on rows of this kind (`Examples.modality`)."""
        ...

    def noticed(self, examples: Examples, folds: int) -> list[Finding]:
        """What a person should know about rows to learn from in so many folds."""
        ...

    def row_weights(self, examples: Examples, classes: ClassWeights) -> FloatArray | None:
        """(n,) of mean 1, or None when all are equal; ``classes`` as the recipe has them."""
        ...

    def costs(
        self, labels: Sequence[str], matrix: Sequence[Sequence[float]] | None
    ) -> FloatArray | None:
        """(C, C) cost of answering column j when row i is true, or None."""
        ...

    def unknowing(self, examples: Examples) -> FloatArray:
        """(n, C) answers of a model that knows nothing, to see what can be scored at all."""
        ...

    def breakdown(
        self, judged: Judged, *, seed: int, costs: FloatArray | None, shown: bool
    ) -> dict[str, Any]:
        """What the report shows below the headline; nothing of a row unless ``shown``."""
        ...

    def doubt(self, answers: FloatArray, head: HeadSpec) -> FloatArray:
        """(n,) how undecided each of the answers (n, C) is, from 0 to 1, to choose rows to label
        by; ones where answers do not say."""
        ...

    def rows_to_look_at(
        self, examples: Examples, answers: FloatArray, shown: bool
    ) -> tuple[list[dict[str, Any]], list[Finding]]:
        """Rows answered most wrongly by models that had not seen them, answers (R, n, C); and
        what is to be said of their own answers."""
        ...

    def answers_given(self, examples: Examples) -> dict[str, Any]:
        """The rows' own answers in figures, for the report: ``labels``, and more."""
        ...

    def floor(self, examples: Examples) -> dict[str, Any]:
        """What the cheapest baseline needs to answer later, without the rows; JSON."""
        ...

    def from_floor(self, kept: Mapping[str, Any], rows: int) -> dict[str, FloatArray]:
        """(rows, C) answers by baseline, from the mapping that `floor` is part of."""
        ...

    def calibration(self, answers: FloatArray, examples: Examples) -> dict[str, npt.NDArray[Any]]:
        """What a model keeps of out-of-fold answers (R, n, C), to bound its predictions."""
        ...

    def bounded(
        self,
        answers: Answers,
        calibration: Mapping[str, npt.NDArray[Any]],
        coverage: float | None,
    ) -> Answers:
        """The answers with bounds that hold ``coverage`` of new rows (None: the default).

        Raises:
            InputError: ``no_intervals``, ``bad_coverage``.
        """
        ...

    def bounds(self, calibration: Mapping[str, npt.NDArray[Any]], judged: Judged) -> dict[str, Any]:
        """For the report: how wide the bounds are and, of test rows, how many they held."""
        ...

    def array(self, answers: Answers, head: HeadSpec) -> npt.NDArray[Any]:
        """(n,) what `Model.predict` returns."""
        ...

    def table(self, answers: Answers) -> FloatArray:
        """(n, C) what `Model.predict_proba` returns.

        Raises:
            InputError: ``no_probabilities``.
        """
        ...
