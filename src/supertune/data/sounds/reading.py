"""From a source of recordings to a `Reading` of recordings and labels, as `data.text_reading` does
it once there is a column of recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from supertune.contracts import Columns, Finding, Input, Reading, Recording
from supertune.data import joining, media_columns, media_rows, text_reading
from supertune.data.cells import as_label, counted, is_empty
from supertune.data.columns import settle
from supertune.data.sounds import cells, choosing, folders, formats, hearing, sources
from supertune.data.table import Table
from supertune.data.windows import window_of
from supertune.errors import InputError

REFUSED = ("recording_too_long", "recording_too_large", "bad_sample_rate", "bad_part")


def learned(source: Any, wanted: Columns, test: Any = None) -> Reading:
    """Recordings to learn from, and recordings to judge by where ``test`` or a split gives such.

    Where a column says who speaks, the rows of one speaker stay on one side of a split.

    Raises:
        InputError: whatever is wrong with files, columns, recordings, labels, weights or sides.
    """
    table, columns, found = rows(source, wanted)
    if columns.label is None and table.names == (columns.audio,):
        raise media_columns.no_labels(choosing.RECORDINGS, table, "cello/1.wav, flute/1.wav")
    held = None
    if test is not None:
        held, other, more = rows(test, wanted)
        found += more
        label = settle(table, columns).columns.label
        held = media_rows.called(held, other, replace(columns, label=label), _unnamed(test))
    columns, said, more = _by_speaker(table, columns, held)
    reading = text_reading.learned(table, columns, held)
    said = [*([] if wanted.audio else [choosing.proof(table, str(columns.audio))]), *said]
    findings = (*found, *more, *reading.findings)
    return replace(reading, guesses=(*said, *reading.guesses), findings=findings)


def judged(
    source: Any, wanted: Columns, names: tuple[str, ...], *, new_labels: bool = False
) -> Reading:
    """Recordings that a model with the labels ``names`` is judged by; see `text_reading.judged`."""
    table, columns, found = rows(source, wanted)
    table = media_rows.called(table, columns, wanted, _unnamed(source))
    reading = text_reading.judged(table, wanted, names, new_labels=new_labels)
    return replace(reading, findings=(*found, *reading.findings))


def stream(source: Any, wanted: Columns, window: int) -> Iterator[tuple[Table, tuple[Input, ...]]]:
    """Windows of rows and the recordings in them.

    Raises:
        InputError: as `learned`, at the window where the fault is, also for one broken recording;
            ``recording_missing`` for an empty cell.
    """
    for table, column in sources.stream(source, wanted.audio, window):
        media_rows.checked(table, column, hearing.of, formats.missing)
        yield table, joining.inputs(table, Columns(audio=column))


def rows(source: Any, wanted: Columns) -> tuple[Table, Columns, list[Finding]]:
    """Rows whose recordings can all be decoded, the columns with that of the recordings, and what
    is left out.

    Raises:
        InputError: ``audio_column_missing`` where texts are asked for, and as `sources.read`.
    """
    if wanted.text or wanted.template is not None:
        raise media_columns.no_texts(choosing.RECORDINGS, wanted)
    table, column = sources.read(source, wanted.audio)
    found = sources.unread(source)
    table, broken = media_rows.whole(table, column, hearing.of, "recording", REFUSED)
    return table, replace(wanted, audio=column), [*found, *broken]


def _by_speaker(
    table: Table, columns: Columns, held: Table | None
) -> tuple[Columns, list[str], list[Finding]]:
    """The columns with the speaker as group, where each label is spoken by several; what is said
    of it, and ``speaker_overlap`` where test rows are of speakers that are learned from."""
    name = choosing.speakers(table)
    if columns.group is not None or name is None or name == columns.label:
        return columns, [], []
    who = [None if is_empty(cell) else as_label(cell) for cell in table.values[name]]
    label = settle(table, columns).columns.label
    by_label: dict[str, set[str]] = {}
    for one, cell in zip(who, table.values[str(label)], strict=True):
        if one is not None and not is_empty(cell):
            by_label.setdefault(as_label(cell), set()).add(one)
    if held is not None:
        known = {one for one in who if one is not None}
        same = [
            int(row)
            for row, cell in zip(held.rows, held.values.get(name, [None] * len(held)), strict=True)
            if not is_empty(cell) and as_label(cell) in known
        ]
        if not same:
            return columns, [], []
        message = (
            f"{counted(len(same), 'test row')} of speakers that are also learned from; the score "
            "says little about other speakers."
        )
        return columns, [], [Finding("speaker_overlap", message, tuple(same))]
    if not by_label or min(map(len, by_label.values())) < 2:
        message = (
            f"Column '{name}' says who speaks, and some labels have one speaker only: rows are "
            "split without regard to it, so the model may know voices instead of labels."
        )
        return columns, [], [Finding("speaker_overlap", message)]
    count = len({one for one in who if one is not None})
    said = f"speakers: column '{name}' ({count}); each stays on one side of every split"
    return replace(columns, group=name), [said], []


def _unnamed(source: Any) -> str | None:
    """The column of labels that nobody named."""
    return folders.LABEL if sources.nameless(source) else None


def given(values: Any) -> list[Input]:
    """Recordings that Python code hands to a model: paths, bytes, samples with their rate.

    Raises:
        InputError: ``one_recording_given``, ``not_recordings``; and as `stream`.
    """
    if isinstance(values, str | bytes | Recording) or cells.is_samples(values):
        raise InputError(
            "one_recording_given",
            "predict takes several recordings, not one.",
            received=f"{type(values).__name__}: {str(values)[:80]}",
            allowed='a list, e.g. ["first.wav", "second.wav"]',
            next="Put the recording into a list.",
        )
    try:
        held: Sequence[Any] = list(values)
    except TypeError as error:
        raise InputError(
            "not_recordings",
            "predict takes a list of recordings.",
            received=type(values).__name__,
            allowed='e.g. ["first.wav", "second.wav"]',
            next=f"Pass a list of {cells.ALLOWED}.",
        ) from error
    if not held:
        return []
    source = f"a list of {counted(len(held), 'recording')}"
    table = window_of({folders.AUDIO: [sources.one_cell(one) for one in held]}, 1, source)
    whole = stream(table, Columns(audio=folders.AUDIO), len(held))
    return [one for _, part in whole for one in part]
