"""A value on a scale, learned from columns of numbers or from a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import metrics
from supertune.contracts import (
    Columns,
    Examples,
    FloatArray,
    HeadSpec,
    Input,
    Objective,
    Reading,
    Values,
)
from supertune.data import readers, value_reading, value_rows
from supertune.data.columns import has_places, text_columns
from supertune.errors import InputError


class Regression:
    """See `supertune.contracts.Task`."""

    name = "regression"
    summary = "a number for each row, from columns of numbers or a text"
    objective: Objective = "regress"
    modalities: tuple[str, ...] = ("numbers", "text")
    metrics: Mapping[str, bool] = metrics.REGRESSION
    default_metric = "mae"

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        """Rows to learn from and, where there are any, to judge by.

        Args:
            source: whatever `readers.read` takes; in pairs, a text and its value.
            columns: those the person named; the others are guessed.
            test: another source of the same columns, to judge by.
            labels: those of a model that exists. The rows are then judged, not learned from.

        Raises:
            InputError: what is wrong with the source, its columns, numbers, weights or times.
        """
        table = readers.read(source)
        wanted = value_reading.settled_places(source, table, columns)
        if labels is not None:
            return value_reading.judged(table, wanted)
        held = None if test is None else readers.read(test)
        return value_reading.learned(table, wanted, held)

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of rows and what is read of them; ``columns`` is settled.

        Raises:
            InputError: ``missing_number`` with the cell, ``bad_number``, ``number_column_missing``.
        """
        for table in readers.stream(source, window):
            if columns.numbers:
                if has_places(source, table):
                    raise _texts_given(columns)
                yield table, value_rows.answerable(table, columns)
            else:
                wanted = value_reading.settled_places(source, table, columns)
                yield table, value_rows.inputs(table, text_columns(table, wanted))

    def head(self, examples: Examples) -> HeadSpec:
        return HeadSpec(1, valued=True)

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Values:
        """(n, 1) outputs are the values themselves."""
        return Values(np.array(logits, dtype=np.float64).reshape(-1), labels[0])

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        return metrics.regression(answers, targets, weights)


TASK = Regression()


def _texts_given(columns: Columns) -> InputError:
    return InputError(
        "not_numbers",
        "This model reads rows of numbers, not texts.",
        received="texts",
        allowed=f"a file with the columns {', '.join(columns.numbers)}",
        next="Put the rows into a csv file with these columns and name the file.",
    )
