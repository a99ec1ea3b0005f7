"""Texts and answers of one source, row by row, on their way from a table to `Examples`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import Columns, Examples, FloatArray, Input, IntArray
from supertune.data import joining, labels, sides
from supertune.data.labels import Answers, Given
from supertune.data.table import Table


@dataclass(frozen=True, eq=False)
class TextRows:
    """n rows; nothing is numbered or dropped yet.

    Attributes:
        inputs: what is read of each row.
        given: its labels, None where it has none.
        rows: (n,) row numbers in the source.
        named: the group each belongs to, if there are any.
        weights: (n,) as given, or None.
        slices: columns (n,) of strings.
    """

    inputs: tuple[Input, ...]
    given: tuple[Given, ...]
    rows: IntArray
    named: tuple[str | None, ...] | None
    weights: FloatArray | None
    slices: Mapping[str, npt.NDArray[Any]]

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, index: IntArray | Sequence[int]) -> TextRows:
        """The rows at ``index``, in that order."""
        chosen = np.asarray(index, dtype=np.int64)
        return TextRows(
            tuple(self.inputs[i] for i in chosen),
            tuple(self.given[i] for i in chosen),
            self.rows[chosen],
            None if self.named is None else tuple(self.named[i] for i in chosen),
            None if self.weights is None else self.weights[chosen],
            {name: values[chosen] for name, values in self.slices.items()},
        )

    def texts(self) -> list[str]:
        """Each input as one text, to be looked at or compared."""
        return [joining.as_one(value) for value in self.inputs]

    def examples(self, names: tuple[str, ...], *, multi_label: bool) -> Examples:
        """With labels as indices into ``names``; groups are not set, weights as they are."""
        found = labels.targets(self.given, names, multi_label=multi_label)
        return Examples(self.inputs, found, names, self.rows, None, self.weights, dict(self.slices))


def read(table: Table, columns: Columns, answers: Answers) -> TextRows:
    """All rows of a table whose columns are settled.

    Raises:
        InputError: ``bad_weight``.
    """
    return TextRows(
        joining.inputs(table, columns),
        answers.given,
        table.rows,
        None if columns.group is None else sides.groups(table, columns.group),
        None if columns.weight is None else sides.weights(table, columns.weight),
        sides.slices(table, columns.slices),
    )


def weighed(examples: Examples) -> Examples:
    """Weights with mean 1 over the rows that are left."""
    if examples.weights is None:
        return examples
    return replace(examples, weights=sides.normalised(examples.weights))
