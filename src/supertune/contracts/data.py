"""What a row is, on its way in and on its way out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]
Input = str | tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows as a task understands them, all sequences of length n and in one order.

    Attributes:
        inputs: what goes in; a text, or a tuple of texts (a pair).
        targets: (n,) label indices, -1 where unlabelled; or (n, C) zeros and ones when a row
            may have several labels; None when the rows carry no answers at all.
        labels: the C label names, in the order of the model's outputs.
        rows: (n,) row numbers in the source, the first data row being 1.
        groups: (n,) integers; rows of one group are never on both sides of a split.
        weights: (n,) positive row weights, mean 1, or None.
        slices: named columns (n,) of strings by which scores can be broken down.
    """

    inputs: tuple[Input, ...]
    targets: npt.NDArray[Any] | None
    labels: tuple[str, ...]
    rows: IntArray
    groups: IntArray | None = None
    weights: FloatArray | None = None
    slices: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def multi_label(self) -> bool:
        return self.targets is not None and self.targets.ndim == 2

    def take(self, index: IntArray | Sequence[int]) -> Examples:
        """The rows at ``index``, in that order."""
        chosen = np.asarray(index, dtype=np.int64)
        return replace(
            self,
            inputs=tuple(self.inputs[i] for i in chosen),
            targets=None if self.targets is None else self.targets[chosen],
            rows=self.rows[chosen],
            groups=None if self.groups is None else self.groups[chosen],
            weights=None if self.weights is None else self.weights[chosen],
            slices={name: values[chosen] for name, values in self.slices.items()},
        )

    def canonical(self) -> Examples:
        """The same rows ordered by content hash, so that a file's order cannot matter."""
        keys = [
            content_key(text, None if self.targets is None else self.targets[i].tolist())
            for i, text in enumerate(self.inputs)
        ]
        return self.take(sorted(range(len(keys)), key=keys.__getitem__))


def content_key(value: Input, extra: object = None) -> str:
    """sha256 (hex) of one input, and of whatever else distinguishes it."""
    return hashlib.sha256(repr((value, extra)).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Finding:
    """Something the person should know about their rows or run; ``rows`` are source rows."""

    code: str
    message: str
    rows: tuple[int, ...] = ()
    severity: Literal["info", "warning"] = "warning"

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.message,
            "rows": list(self.rows),
            "severity": self.severity,
        }


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model answers for n inputs.

    Attributes:
        labels: the label (or tuple of labels) predicted for each row.
        confidence: (n,) probability of the predicted label; for several labels the product.
        probabilities: (n, C), rows sum to 1 unless a row may have several labels.
        names: the C label names.
    """

    labels: tuple[Any, ...]
    confidence: FloatArray
    probabilities: FloatArray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)
