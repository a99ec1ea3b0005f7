"""Rows of a pool to label next, and why each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import Examples, FloatArray, Input, as_json
from supertune.labelling import selection
from supertune.labelling.pool import Pool
from supertune.labelling.selection import Space

FAR, DENSE, UNDECIDED = 0.75, 0.75, 0.5  # from which share of the pool, or doubt, it is said


@dataclass(frozen=True, eq=False)
class Known:
    """What is labelled already: inputs, their features (m, d) and labels."""

    inputs: tuple[Input, ...]
    features: FloatArray
    labels: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Opinion:
    """What a model makes of the pool: ``answers`` (n, C), how undecided each is (n,), and the
    names of the C columns."""

    answers: FloatArray
    doubt: FloatArray
    names: tuple[str, ...]
    labels: bool = True  # whether the answers are shares of one label out of several


@dataclass(frozen=True)
class Proposal:
    """A row to label.

    Attributes:
        row: its number in the pool, the first data row being 1.
        input: what a model reads of it.
        why: reasons in words, the weightiest first.
        prediction, confidence: what the model would answer, where there is one.
        cells: what the pool has in the columns that are read.
        key: `supertune.contracts.content_key` of the input.
    """

    row: int
    input: Input
    why: tuple[str, ...]
    prediction: str | None
    confidence: float | None
    cells: dict[str, Any]
    key: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "input": as_json(self.input),
            "why": list(self.why),
            "prediction": self.prediction,
            "confidence": self.confidence,
        }


def propose(
    pool: Pool,
    space: Space,
    known: Known,
    count: int,
    *,
    opinion: Opinion | None,
    free: npt.NDArray[np.bool_],
) -> list[Proposal]:
    """At most ``count`` rows of the pool, of those that are ``free`` (n,)."""
    doubt = None if opinion is None else opinion.doubt
    chosen = selection.choose(space, known.features, count, doubt=doubt, free=free)
    seen = _Seen(space, known, opinion)
    found = []
    for place in chosen.tolist():
        said = None if opinion is None or not opinion.labels else opinion.answers[place]
        best = None if said is None else int(said.argmax())
        found.append(
            Proposal(
                pool.rows[place],
                pool.inputs[place],
                seen.why(place),
                None if opinion is None or best is None else opinion.names[best],
                None if said is None or best is None else float(said[best]),
                pool.cells[place],
                pool.keys[place],
            )
        )
        seen.take(place)
    return found


class _Seen:
    """The pool in the light of what is labelled and of what was chosen before in this batch."""

    def __init__(self, space: Space, known: Known, opinion: Opinion | None) -> None:
        here, there = space.unit, space.units(known.features)[0]
        self._here, self._opinion = here, opinion
        self._counts = Counter(known.labels)
        # The likeness of each row to the most like of those labelled, and to the pool at large.
        self._near = (here @ there.T).max(axis=1) if len(there) else np.full(len(here), -1.0)
        self._any = bool(len(there))
        self._dense = _ranks(space.density)

    def take(self, place: int) -> None:
        self._near = np.maximum(self._near, self._here @ self._here[place])
        self._any = True

    def why(self, place: int) -> tuple[str, ...]:
        reasons = []
        opinion = self._opinion
        if opinion is not None and opinion.labels:
            if opinion.doubt[place] >= UNDECIDED:
                reasons.append(f"uncertain: {_shares(opinion.answers[place], opinion.names)}")
            best = opinion.names[int(opinion.answers[place].argmax())]
            if self._few(best, opinion.names):
                rows = self._counts[best]
                reasons.append(
                    f"perhaps {best}, which has {'one row' if rows == 1 else f'{rows} rows'} so far"
                )
        if self._any and _ranks(-self._near)[place] >= FAR:
            reasons.append("unlike the rows labelled so far")
        if self._dense[place] >= DENSE or not reasons:
            dense = self._dense[place] >= 0.5
            reasons.append("many rows are like it" if dense else "it stands for the rows around it")
        return tuple(reasons)

    def _few(self, label: str, names: Sequence[str]) -> bool:
        """Whether a label has at most half as many rows as labels have on average."""
        total = sum(self._counts[name] for name in names)
        return total > 0 and 2 * self._counts[label] * len(names) <= total


def _shares(answers: FloatArray, names: Sequence[str]) -> str:
    """``positive 52 %, negative 48 %``: the two likeliest labels."""
    two = np.argsort(-answers, kind="stable")[:2]
    return ", ".join(f"{names[i]} {100 * answers[i]:.0f} %" for i in two)


def _ranks(values: FloatArray) -> FloatArray:
    """(n,) the share of rows that have a smaller value."""
    return np.asarray(np.searchsorted(np.sort(values), values) / max(1, len(values) - 1))


def spoken(examples: Examples) -> tuple[Any, ...]:
    """The label of each labelled row by name; of several labels a row the tuple of them."""
    assert examples.targets is not None
    if examples.valued:
        return tuple(map(float, examples.targets))
    if examples.multi_label:
        return tuple(
            tuple(name for name, on in zip(examples.labels, row, strict=True) if on)
            for row in examples.targets
        )
    return tuple(examples.labels[int(i)] for i in examples.targets)
