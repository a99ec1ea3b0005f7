"""One label a text, or several, learned from labelled rows."""

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
    Predictions,
    Reading,
)
from supertune.data import answered_rows, joining, readers, text_reading
from supertune.data.columns import by_place, has_places, text_columns


class TextClassification:
    name = "text_classification"
    summary = "one label a text, or several, from a few labelled rows"
    objective: Objective = "classify"
    modalities: tuple[str, ...] = ("text",)
    metrics: Mapping[str, bool] = {**metrics.CLASSIFICATION, **metrics.MULTI_LABEL}
    default_metric = "accuracy"

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
            source: whatever `readers.read` takes.
            columns: those the person named; the others are guessed.
            test: another source of the same columns, to judge by.
            labels: those of a model that exists. The rows are then judged, not learned from:
                ``train`` holds all of them (of a split column, the test rows), nothing but empty
                texts is dropped, and columns beside text and label may be missing.
            new_labels: the rows may have labels besides ``labels``, which come behind them.

        Raises:
            InputError: what is wrong with the source, its columns, labels, weights or times.
        """
        table = readers.read(source)
        if labels is None:
            table, columns = answered_rows.recognised(table, columns)
        else:
            table = answered_rows.split(table, columns)
        wanted = by_place(table, columns) if has_places(source, table) else columns
        if labels is not None:
            return text_reading.judged(table, wanted, labels, new_labels=new_labels)
        if test is None:
            return text_reading.learned(table, wanted)
        held = answered_rows.split(readers.read(test), columns)
        return text_reading.learned(table, wanted, held, test_has_places=has_places(test, held))

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of rows and what is read of them; an empty cell is an empty text.

        ``columns`` is settled. A list of plain texts needs no column of that name.
        """
        chosen: Columns | None = None
        written: str | None = None
        for table in readers.stream(source, window):
            if chosen is None:
                written = answered_rows.column(table, columns)
            apart = answered_rows.split(table, columns, written)
            if chosen is None:
                wanted = by_place(apart, columns) if has_places(source, apart) else columns
                chosen = text_columns(apart, wanted)
            yield table, joining.inputs(apart, chosen)

    def head(self, examples: Examples) -> HeadSpec:
        return HeadSpec(len(examples.labels), examples.multi_label)

    def decode(
        self,
        logits: FloatArray,
        labels: tuple[str, ...],
        head: HeadSpec,
        costs: FloatArray | None = None,
    ) -> Predictions:
        """(n, C) scores as answers: softmax and the likeliest label (with ``costs``, the
        cheapest); or sigmoid and all labels from 0.5 on, which may be none."""
        scores = np.ascontiguousarray(logits, dtype=np.float64)
        if head.multi_label:
            chances = _sigmoid(scores)
            on = chances >= metrics.THRESHOLD
            sets = tuple(
                tuple(name for name, is_on in zip(labels, row, strict=True) if is_on) for row in on
            )
            return Predictions(
                sets, np.where(on, chances, 1 - chances).prod(axis=1), chances, labels
            )
        chances = _softmax(scores)
        best = metrics.decide(chances, costs)
        confidence = chances[np.arange(len(chances)), best]
        return Predictions(tuple(labels[i] for i in best), confidence, chances, labels)

    def score(
        self,
        answers: FloatArray,
        targets: npt.NDArray[Any],
        weights: FloatArray | None = None,
        costs: FloatArray | None = None,
    ) -> dict[str, FloatArray]:
        if targets.ndim == 2:
            return metrics.multi_label(answers, targets, weights)
        return metrics.classification(answers, targets, weights, costs)


TASK = TextClassification()


def _softmax(scores: FloatArray) -> FloatArray:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _sigmoid(scores: FloatArray) -> FloatArray:
    # Written so that no exponential overflows.
    small = np.exp(-np.abs(scores))
    return np.asarray(np.where(scores >= 0, 1 / (1 + small), small / (1 + small)))
