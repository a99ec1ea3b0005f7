"""From a source of recordings with transcripts to the rows that a voice is learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from supertune.contracts import Columns, Examples, Input, Reading, Recording
from supertune.data.sounds import reading, transcribed
from supertune.data.table import Table
from supertune.errors import InputError

ANSWER = ("similarity",)  # the one name of what is answered
SHORTEST = 0.3  # seconds of a recording that tells something of a voice
_LISTED = 5


def learned(source: Any, wanted: Columns, test: Any = None) -> Reading:
    """Recordings of one speaker with what is said in them; see `transcribed.learned`.

    Raises:
        InputError: ``several_speakers``, and as `transcribed.learned`.
    """
    found = transcribed.learned(source, wanted, test)
    _one_speaker(source, found)
    apart = None if found.test is None else _said(found.test)
    return replace(found, train=_said(found.train), test=apart)


def judged(source: Any, wanted: Columns) -> Reading:
    """Recordings that a model is judged by."""
    found = transcribed.judged(source, wanted)
    return replace(found, train=_said(found.train))


def stream(source: Any, wanted: Columns, window: int) -> Iterator[tuple[Table, tuple[Input, ...]]]:
    """Windows of rows and the recordings in them, with what is said.

    Raises:
        InputError: ``no_transcripts``.
    """
    for table, inputs in reading.stream(source, replace(wanted, label=None), window):
        name = transcribed.column(table, str(wanted.audio), wanted.label)
        cells = table.values[name]
        yield (
            table,
            tuple(
                replace(one, said=str(cell or "").strip()) if isinstance(one, Recording) else one
                for one, cell in zip(inputs, cells, strict=True)
            ),
        )


def _said(examples: Examples) -> Examples:
    """Rows whose answer is figures, none of which is known beforehand."""
    assert examples.targets is not None
    inputs = tuple(
        replace(one, said=str(text))
        for one, text in zip(examples.inputs, examples.targets.tolist(), strict=True)
        if isinstance(one, Recording)
    )
    none = np.zeros(len(inputs), dtype=np.int64)
    return replace(examples, inputs=inputs, targets=none, labels=ANSWER)


def _one_speaker(source: Any, found: Reading) -> None:
    if found.columns.group is None:
        return
    name = found.columns.group
    raise InputError(
        "several_speakers",
        "A voice is learned from one speaker.",
        received=f"column '{name}' of {found.source} names several",
        allowed="recordings of one speaker",
        next=f"Keep the rows of one, and leave column '{name}' out.",
    )
