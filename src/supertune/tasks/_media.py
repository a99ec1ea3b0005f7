"""Labels of files that are decoded, pictures or recordings: one task, two kinds of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from supertune.contracts import Columns, Input, Reading
from supertune.tasks._labels import Classification


@dataclass(frozen=True)
class MediaClassification(Classification):
    """See `supertune.contracts.Task`.

    Attributes:
        recognised: see `supertune.contracts.Recognising`.
        learned, judged, streamed, count: the reader of such files, e.g.
            `supertune.data.pictures.reading.learned`, ``judged`` and ``stream``, and
            `supertune.data.pictures.sources.count`.
    """

    name: str
    summary: str
    modalities: tuple[str, ...]
    recognised: Callable[[Any], str | None]
    learned: Callable[[Any, Columns, Any], Reading]
    judged: Callable[..., Reading]
    streamed: Callable[[Any, Columns, int], Iterator[tuple[Any, tuple[Input, ...]]]]
    count: Callable[[Any], int | None]

    def read(
        self,
        source: Any,
        columns: Columns,
        *,
        test: Any = None,
        labels: tuple[str, ...] | None = None,
        new_labels: bool = False,
    ) -> Reading:
        """Files to learn from and, where there are any, to judge by.

        Args:
            source: whatever the ``sources`` of such files take.
            columns: those the person named; the others are guessed.
            test: another source, to judge by.
            labels: those of a model that exists. The rows are then judged, not learned from.
            new_labels: the rows may have labels besides ``labels``, which come behind them.

        Raises:
            InputError: what is wrong with files, columns, labels, weights or times.
        """
        if labels is None:
            return self.learned(source, columns, test)
        return self.judged(source, columns, labels, new_labels=new_labels)

    def stream(
        self, source: Any, columns: Columns, window: int
    ) -> Iterator[tuple[Any, tuple[Input, ...]]]:
        """Windows of rows and the files in them, of which one window's are held at most.

        Raises:
            InputError: as ``streamed``.
        """
        return self.streamed(source, columns, window)
