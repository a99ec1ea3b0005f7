"""What models answer: labels with their probabilities, and values on a scale."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from supertune.contracts.data import FloatArray


class Answers(Protocol):
    """What a model answers for n inputs, whatever its task asks; what is written of it."""

    @property
    def scored(self) -> FloatArray:
        """(n, C) what the task's metrics are computed from: probabilities, or values."""
        ...

    def __len__(self) -> int: ...
    def columns(self) -> dict[str, list[Any]]:
        """Cells to be written beside the rows of a file, n in each column."""
        ...

    def listed(self) -> list[dict[str, Any]]:
        """One JSON object a row."""
        ...

    def lines(self) -> list[str]:
        """One line a row, for a person."""
        ...

    def counts(self) -> dict[str, int]:
        """How many rows carry each of the names of the model's outputs."""
        ...

    def marks(self) -> dict[str, int]:
        """How many rows are ``unlike`` those learned from or were not answered (``abstained``),
        where the model was able to say so."""
        ...

    def compared(self, likeness: FloatArray) -> Answers:
        """The same answers, with what is known of the rows: `Predictions.likeness`."""
        ...


UNLIKE = 0.05  # a row of this likeness or less is unlike those learned from
_UNLIKE_SAID = "  (unlike the rows learned from)"


def unlike(likeness: FloatArray | None) -> dict[str, list[bool]]:
    """Cells that say which rows are unlike those learned from; none where nothing can tell."""
    return {} if likeness is None else {"unlike": (likeness <= UNLIKE).tolist()}


@dataclass(frozen=True, eq=False)
class Predictions:
    """Labels for n inputs; see `Answers`.

    Attributes:
        labels: the label (or tuple of labels) predicted for each row.
        confidence: (n,) probability of the predicted label; for several labels the product.
        probabilities: (n, C), rows sum to 1 unless a row may have several labels.
        names: the C label names.
        abstained: (n,) rows that are not answered, since too many such answers would be wrong;
            ``labels`` holds the likeliest nevertheless. None where nobody asked for a limit.
        likeness: (n,) the share of the rows learned from that lie as far from the others as
            this row does; `UNLIKE` or less is unlike them. None where that is not known.
    """

    labels: tuple[Any, ...]
    confidence: FloatArray
    probabilities: FloatArray
    names: tuple[str, ...]
    abstained: npt.NDArray[np.bool_] | None = None
    likeness: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def scored(self) -> FloatArray:
        return self.probabilities

    @property
    def given(self) -> tuple[Any, ...]:
        """The label of each row that is answered, None where the model abstains."""
        if self.abstained is None:
            return self.labels
        return tuple(
            None if left else label for label, left in zip(self.labels, self.abstained, strict=True)
        )

    def columns(self) -> dict[str, list[Any]]:
        """``prediction`` (empty where the model abstains), ``confidence`` and ``p_<label>``;
        ``abstained`` and ``unlike`` where they are known."""
        found: dict[str, list[Any]] = {
            "prediction": [list(a) if isinstance(a, tuple) else a for a in self.given],
            "confidence": [round(float(c), 6) for c in self.confidence],
            **self._marked(),
        }
        for place, name in enumerate(self.names):
            found[f"p_{name}"] = [round(float(p), 6) for p in self.probabilities[:, place]]
        return found

    def _marked(self) -> dict[str, list[bool]]:
        left = {} if self.abstained is None else {"abstained": self.abstained.tolist()}
        return {**left, **unlike(self.likeness)}

    def listed(self) -> list[dict[str, Any]]:
        rows = [
            {
                "prediction": label,
                "confidence": float(confidence),
                "probabilities": dict(zip(self.names, chances, strict=True)),
            }
            for label, confidence, chances in zip(
                self.given, self.confidence, self.probabilities.tolist(), strict=True
            )
        ]
        marks = self._marked()
        if self.likeness is not None:
            marks["likeness"] = self.likeness.tolist()
        for name, cells in marks.items():
            for row, cell in zip(rows, cells, strict=True):
                row[name] = cell
        return rows

    def lines(self) -> list[str]:
        lines = [
            f"{(', '.join(a) or 'none') if isinstance(a, tuple) else a}  {confidence:.2f}"
            for a, confidence in zip(self.labels, self.confidence, strict=True)
        ]
        marks = self._marked()
        for row, left in enumerate(marks.get("abstained", [])):
            lines[row] = f"no answer; likeliest {lines[row]}" if left else lines[row]
        for row, odd in enumerate(marks.get("unlike", [])):
            lines[row] += _UNLIKE_SAID if odd else ""
        return lines

    def counts(self) -> dict[str, int]:
        return dict(
            Counter(
                name
                for label in self.given
                if label is not None
                for name in (label if isinstance(label, tuple) else (label,))
            )
        )

    def marks(self) -> dict[str, int]:
        return {name: sum(cells) for name, cells in self._marked().items()}

    def compared(self, likeness: FloatArray) -> Predictions:
        return replace(self, likeness=likeness)


@dataclass(frozen=True, eq=False)
class Values:
    """Values on a scale for n inputs, with prediction intervals where there are any; see
    `Answers`.

    Attributes:
        values: (n,) the answers.
        name: of what is measured.
        low, high: (n,) ends of the intervals; infinite where too few rows bound them. None
            without intervals.
        coverage: the share of new rows that the intervals are meant to hold.
        likeness: as in `Predictions`.
    """

    values: FloatArray
    name: str
    low: FloatArray | None = None
    high: FloatArray | None = None
    coverage: float | None = None
    likeness: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def scored(self) -> FloatArray:
        return self.values[:, None]

    def columns(self) -> dict[str, list[Any]]:
        """``value``, and with intervals ``low`` and ``high``, empty where nothing bounds it;
        ``unlike`` where it is known."""
        found: dict[str, list[Any]] = {"value": [_rounded(value) for value in self.values]}
        if self.low is not None and self.high is not None:
            found["low"] = [_rounded(value) for value in self.low]
            found["high"] = [_rounded(value) for value in self.high]
        return {**found, **unlike(self.likeness)}

    def listed(self) -> list[dict[str, Any]]:
        cells = self.columns()
        if self.likeness is not None:
            cells["likeness"] = self.likeness.tolist()
        return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]

    def lines(self) -> list[str]:
        lines = [f"{value:.6g}" for value in self.values]
        if self.low is not None and self.high is not None:
            ends = zip(lines, self.low, self.high, strict=True)
            lines = [f"{line}  [{low:.6g}, {high:.6g}]" for line, low, high in ends]
        for row, odd in enumerate(unlike(self.likeness).get("unlike", [])):
            lines[row] += _UNLIKE_SAID if odd else ""
        return lines

    def counts(self) -> dict[str, int]:
        return {self.name: len(self)}

    def marks(self) -> dict[str, int]:
        return {name: sum(cells) for name, cells in unlike(self.likeness).items()}

    def compared(self, likeness: FloatArray) -> Values:
        return replace(self, likeness=likeness)


def _rounded(value: float) -> float | None:
    """Ten digits, more than any measurement has; None for what is not finite."""
    return float(f"{value:.10g}") if np.isfinite(value) else None
