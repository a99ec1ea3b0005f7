"""One label a text, or several, learned from labelled rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from supertune.contracts import Columns, Input, Reading
from supertune.data import answered_rows, joining, readers, text_reading
from supertune.data.columns import by_place, has_places, text_columns
from supertune.tasks._labels import Classification


class TextClassification(Classification):
    name = "text_classification"
    summary = "one label a text, or several, from a few labelled rows"
    modalities: tuple[str, ...] = ("text",)

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


TASK = TextClassification()
