"""What an objective owes once a method has answered: weights, baselines, and what scores mean.

Tasks of one objective share all of this, whatever their rows are. Nothing behind a task's own
`score` assumes what an answer is: it asks the objective.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy.typing as npt

from supertune.contracts.answers import Answers
from supertune.contracts.data import Examples, Finding, FloatArray, IntArray
from supertune.contracts.task import HeadSpec

ClassWeights = str | Mapping[str, float] | None


@dataclass(frozen=True, eq=False)
class Judged:
    """Answers and what they are judged on: a test file (n, C), or folds (R, n, C); ``whole`` holds
    the same rows with what judges behind what was known, where rows are made so."""

    examples: Examples
    answers: FloatArray
    on_test: bool
    folds: int | None = None
    whole: Examples | None = None

    @property
    def mean(self) -> FloatArray:
        """(n, C): the mean over repeats."""
        return self.answers if self.on_test else self.answers.mean(axis=0)


@dataclass(frozen=True)
class Asked:
    """What a person asks of answers beside the answers themselves; None is the objective's own.

    Attributes:
        coverage: of values, the share of new rows that the intervals are meant to hold.
        max_error: of labels, the share of wrong answers among those given that may not be
            exceeded; the model abstains from the rest. Both lie above 0 and below 1.
    """

    coverage: float | None = None
    max_error: float | None = None


NOTHING_ASKED = Asked()


class Judge(Protocol):
    """One file in ``objectives/``; the file's name is the objective.

    One that few backbones of the catalogue serve names them in an attribute ``backbones``, or
    where they depend on the examples a function of these; `auto` then tries these. One that makes
    nothing of folds but a judgement says so by ``folds_judge_alone``. What not every
    kind of answer has is promised apart: `Leaning`, `Floored`, `Juxtaposing`, `Terming`,
    `Calibrating`, `Bounding`, `Vouching`, `Shifting`, `supertune.contracts.Contrasting`.
    """

    name: str
    summary: str
    baselines: tuple[str, ...]  # what costs nothing, judged beside every model
    # The baseline that a verdict compares with, and what it is called: the first there is.
    rivals: tuple[tuple[str, str], ...]
    # Candidates that are worse than the best by no more than so many of its standard errors are
    # not told from it by the rows. Of these the one that is best by the metric ``decider`` is
    # taken, or the simplest where that is None.
    tolerance: float
    decider: str | None

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

    def check(self, asked: Asked) -> None:
        """Refuse what cannot be asked of such answers, before anything is computed.

        Raises:
            InputError: ``no_intervals``, ``bad_coverage``, ``no_max_error``, ``bad_max_error``.
        """
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


@runtime_checkable
class Consenting(Protocol):
    """A `Judge` of what belongs to a person, such as a voice."""

    def agreed(self, consent: str | None) -> None:
        """Refuse to learn without that person's agreement.

        Raises:
            InputError: ``consent_missing``.
        """
        ...


@runtime_checkable
class Leaning(Protocol):
    """A `Judge` of rows that may hold what they cannot judge."""

    def leaning(self, examples: Examples) -> tuple[frozenset[str], str]:
        """Methods that serve what no row here judges, which of equally good ones are taken rather
        than simpler ones, and what they do, in words behind their name; none where there is nothing
        of that kind."""
        ...


@runtime_checkable
class Floored(Protocol):
    """A `Judge` whose cheapest baseline answers without rows and without a backbone."""

    def floor(self, examples: Examples) -> dict[str, Any]:
        """What the cheapest baseline needs to answer later, without the rows; JSON."""
        ...

    def from_floor(self, kept: Mapping[str, Any], rows: int) -> dict[str, FloatArray]:
        """(rows, C) answers by baseline, from the mapping that `floor` is part of."""
        ...


@runtime_checkable
class Juxtaposing(Protocol):
    """A `Judge` that shows answers beside those of what costs nothing, row by row."""

    def side_by_side(
        self, judged: Judged, baselines: Mapping[str, Judged], shown: bool
    ) -> dict[str, Any]:
        """For the report; nothing of a row unless ``shown``."""
        ...


# Answers (n, C), targets (n,), weights (B, n) or None -> ``term_accuracy``, ``mentions``: (B,).
TermScore = Callable[..., dict[str, FloatArray]]


@runtime_checkable
class Terming(Protocol):
    """A `Judge` of texts that can count how many mentions of terms are as they should be."""

    def term_score(self, terms: Sequence[str]) -> TermScore: ...


@runtime_checkable
class Calibrating(Protocol):
    """A `Judge` that can make answers mean what they say."""

    def calibrated(
        self,
        answers: FloatArray,
        examples: Examples,
        folds: Sequence[Sequence[tuple[IntArray, IntArray]]],
    ) -> tuple[FloatArray, dict[str, Any]]:
        """Out-of-fold answers (R, n, C), made to mean what they say where that helps, and what
        was done: ``temperature``, and figures for the report. Empty where there is nothing to do.

        No row's own answer takes part in what is done to it.
        """
        ...


@runtime_checkable
class Bounding(Protocol):
    """A `Judge` that bounds its answers by what models got wrong on rows they had not seen."""

    def calibration(
        self, answers: FloatArray, examples: Examples, costs: FloatArray | None
    ) -> dict[str, npt.NDArray[Any]]:
        """What a model keeps of out-of-fold answers (R, n, C), to bound its predictions."""
        ...

    def bounded(
        self,
        answers: Answers,
        calibration: Mapping[str, npt.NDArray[Any]],
        asked: Asked,
    ) -> Answers:
        """The answers with the bounds that are asked for.

        Raises:
            InputError: as `check`; ``no_calibration`` where nothing is known to bound them by.
        """
        ...


@runtime_checkable
class Vouching(Protocol):
    """A `Bounding` judge that can tell how far its bounds hold."""

    def bounds(
        self,
        calibration: Mapping[str, npt.NDArray[Any]],
        judged: Judged,
        costs: FloatArray | None,
        asked: Asked,
    ) -> dict[str, Any]:
        """For the report: how wide the bounds are and, of test rows, how many they held."""
        ...


@runtime_checkable
class Shifting(Protocol):
    """A `Judge` that can say what answers are like as a whole, to compare two files."""

    def profile(self, examples: Examples) -> dict[str, tuple[float, float, float]]:
        """By name a number and the ends of its 95 % interval: the share of each label, or the
        mean of values."""
        ...

    def profile_unlabelled(
        self, answers: FloatArray, prior: Mapping[str, float], seed: int
    ) -> dict[str, tuple[float, float, float]]:
        """The same of rows without labels, estimated from answers (n, C) of a model that learned
        from rows of which ``prior`` tells; empty where that cannot be."""
        ...


def bounded(
    judge: Judge, answers: Answers, calibration: Mapping[str, npt.NDArray[Any]], asked: Asked
) -> Answers:
    """The answers with the bounds that are asked for, where such answers have any.

    Raises:
        InputError: as `Judge.check` and `Bounding.bounded`.
    """
    if isinstance(judge, Bounding):
        return judge.bounded(answers, calibration, asked)
    judge.check(asked)
    return answers
