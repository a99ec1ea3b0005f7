"""From a source of recordings to a `Reading` of recordings with what is said in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import registry
from supertune.contracts import Columns, Examples, Finding, Input, Reading, Recording
from supertune.contracts.speech import TRANSCRIPT
from supertune.data import checks, column_names, grouping, overlap, sides, text_rows
from supertune.data.cells import counted, is_empty, listed, shown
from supertune.data.columns import check_named
from supertune.data.sounds import choosing, folders, hearing, reading
from supertune.data.table import Table
from supertune.data.text_rows import TextRows
from supertune.errors import InputError

NAMES = (
    *("transcript", "transcription", "sentence", "text", "normalized_text", "transcripts", "said"),
    *("raw_text", "words", "label"),
)
LONGEST = 30.0  # seconds of a recording that is learned from
FASTEST = 30.0  # characters a second, more than which nobody says
SLOWEST = 0.5  # characters a second of what is longer than `WAITED`, fewer than which few say
WAITED = 5.0  # seconds
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class _Held:
    table: Table
    rows: TextRows
    said: tuple[str, ...]
    columns: Columns
    guesses: tuple[str, ...]
    findings: tuple[Finding, ...]

    def taken(self, index: Sequence[int] | npt.NDArray[Any]) -> tuple[TextRows, tuple[str, ...]]:
        return self.rows.take(np.asarray(index)), tuple(self.said[i] for i in index)


def learned(source: Any, wanted: Columns, test: Any = None) -> Reading:
    """Recordings to learn from, and recordings to judge by where ``test`` or a split gives such.
    Rows of one speaker stay on one side of a split where there are several, and so do rows of the
    same words.

    Raises:
        InputError: whatever is wrong with files, columns, recordings, transcripts or sides.
    """
    held = _read(source, wanted)
    chosen, apart, findings = list(range(len(held.rows))), None, [*held.findings]
    if held.columns.split is not None:
        side = np.array(sides.sides(held.table, held.columns.split))
        chosen = np.flatnonzero(side != "test").tolist()
        apart = held.taken(np.flatnonzero(side == "test")) if (side == "test").any() else None
    if test is not None:
        other = _read(test, replace(held.columns, audio=None, label=None, split=None))
        apart, findings = (other.rows, other.said), [*findings, *other.findings]
    rows, said = held.taken(chosen)
    if not len(rows):
        raise _none_to_learn(held.table.source)
    judged = None
    if apart is not None:
        judged, more = _apart(rows, said, *apart, "--test" if test is not None else "--split")
        findings += more
    train, noticed = _prepared(rows, said)
    return Reading(
        train,
        judged,
        held.columns,
        held.guesses,
        tuple(_sample(one, text) for one, text in zip(train.inputs[:_SHOWN], said)),
        (*findings, *noticed),
        held.table.source,
    )


def judged(source: Any, wanted: Columns) -> Reading:
    """Recordings that a model is judged by; where there is a split column, its test rows."""
    held = _read(source, replace(wanted, audio=None, label=None, split=None))
    chosen = list(range(len(held.rows)))
    name = wanted.split
    if name is not None and name in held.table.values:
        side = np.array(sides.sides(held.table, name))
        chosen = np.flatnonzero(side == "test").tolist() or chosen
    rows, said = held.taken(chosen)
    made = text_rows.weighed(checks.grouped(_examples(rows, said), rows.named))
    samples = tuple(_sample(one, text) for one, text in zip(rows.inputs[:_SHOWN], said))
    return Reading(
        made, None, held.columns, held.guesses, samples, held.findings, held.table.source
    )


def stream(source: Any, wanted: Columns, window: int) -> Iterator[tuple[Table, tuple[Input, ...]]]:
    """Windows of rows and the recordings in them; see `supertune.data.sounds.reading.stream`."""
    return reading.stream(source, replace(wanted, label=None), window)


def recognised(source: Any) -> str | None:
    """Why it is a source of recordings with transcripts, in words; None where it is not."""
    from supertune.data.sounds import recognising

    return recognising.transcribed(source)


def column(table: Table, audio: str, named: str | None = None) -> str:
    """The column of transcripts: as named, or called like one.

    Raises:
        InputError: ``no_transcripts``.
    """
    if named is not None and named in table.values:
        return named
    there = {name.casefold(): name for name in table.names if name != audio}
    if (found := next((there[name] for name in NAMES if name in there), None)) is not None:
        return found
    raise InputError(
        "no_transcripts",
        f"Nothing says what is said in the recordings of {table.source}.",
        received=f"columns {listed(table.names, 30)}",
        allowed="a column of transcripts, called text, sentence or transcript; a file of "
        "transcripts beside the recordings",
        next="Name the column with --label NAME.",
    )


def said_in(table: Table) -> list[str | None]:
    """(n,) what the rows of a table say was said, where a column is called like one; None of those
    that do not."""
    there = {name.casefold(): name for name in table.names}
    name = next((there[one] for one in NAMES if one in there), None)
    cells = [None] * len(table) if name is None else table.values[name]
    return [cell if isinstance(cell, str) and cell.strip() else None for cell in cells]


def _read(source: Any, wanted: Columns) -> _Held:
    table, columns, found = reading.rows(source, replace(wanted, label=None))
    audio = str(columns.audio)
    name = column(table, audio, wanted.label)
    check_named(table, replace(columns, label=name))
    said = [_text(cell, int(row), name) for cell, row in zip(table.values[name], table.rows)]
    table, said, left = _answered(table, said, audio, name)
    if columns.split is None and "split" in table.values:
        columns = replace(columns, split="split")
    speaker = columns.group or choosing.speakers(table)
    who = None if speaker is None else sides.groups(table, speaker)
    several = who is not None and len(set(who) - {None}) > 1
    rows = TextRows(
        tuple(table.values[audio]),
        ((),) * len(table),
        table.rows,
        who if several else None,
        None if columns.weight is None else sides.weights(table, columns.weight),
        sides.slices(table, columns.slices),
    )
    guesses = [choosing.proof(table, audio), f"transcripts: column '{name}'"]
    if several and columns.group is None:
        guesses.append(f"speakers: column '{speaker}'; each stays on one side of every split")
    settled = replace(columns, label=name, group=columns.group or (speaker if several else None))
    return _Held(table, rows, tuple(said), settled, tuple(guesses), (*found, *left))


def _text(cell: Any, row: int, column: str) -> str:
    if not is_empty(cell) and not isinstance(cell, str):
        raise InputError(
            "bad_transcript",
            "A transcript is no text.",
            received=f"row {row}, column '{column}': {type(cell).__name__} {shown(cell)}",
            allowed="what is said, in words",
            next="Correct the cell, or name another column with --label NAME.",
        )
    return "" if is_empty(cell) else " ".join(str(cell).replace("\0", " ").split())


def _answered(
    table: Table, said: list[str], audio: str, name: str
) -> tuple[Table, list[str], list[Finding]]:
    """Rows with a recording and a transcript that belong together, and what is left out."""
    seconds = _seconds(table, audio)
    empty = [i for i, one in enumerate(table.values[audio]) if one is None or not said[i]]
    long = [i for i in range(len(table)) if i not in set(empty) and seconds[i] > LONGEST]
    kept = sorted(set(range(len(table))) - {*empty, *long})
    if not kept:
        raise InputError(
            "no_transcripts" if not long else "recordings_too_long",
            f"No row of {table.source} can be learned from or judged.",
            received=f"{counted(len(empty), 'row')} without a recording or a transcript, "
            f"{len(long)} longer than {LONGEST:g} s",
            allowed=f"recordings of at most {LONGEST:g} s with what is said in them",
            next="Fill in the transcripts, or cut the recordings.",
        )
    found = []
    for code, index, why in (
        ("empty_transcript", empty, "without a recording or a transcript"),
        ("long_recording", long, f"longer than {LONGEST:g} s, which a transcript is not cut for,"),
    ):
        if index:
            verb = "is" if len(index) == 1 else "are"
            message = f"{counted(len(index), 'row')} of {table.source} {why} {verb} left out."
            found.append(Finding(code, message, tuple(int(table.rows[i]) for i in index)))
    found += _unlikely(table, said, seconds, kept)
    cells = {key: [values[i] for i in kept] for key, values in table.values.items()}
    whole = replace(table, values=cells, rows=np.asarray(table.rows)[kept])
    return whole, [said[i] for i in kept], found


def _seconds(table: Table, audio: str) -> list[float]:
    """How long each is; 0 without a recording."""
    held = [i for i, one in enumerate(table.values[audio]) if isinstance(one, Recording)]
    known = hearing.of([table.values[audio][i] for i in held])
    by_row = {i: one.seconds for i, one in zip(held, known, strict=True)}
    return [by_row.get(i, 0.0) for i in range(len(table))]


def _unlikely(
    table: Table, said: Sequence[str], seconds: Sequence[float], kept: Sequence[int]
) -> list[Finding]:
    """Transcripts far too long or too short for their recordings."""
    rates = {i: len(said[i]) / max(seconds[i], 1e-3) for i in kept}
    odd = [
        i for i, rate in rates.items() if rate > FASTEST or (rate < SLOWEST and seconds[i] > WAITED)
    ]
    if not odd:
        return []
    some = [f"row {int(table.rows[i])} ({len(said[i])} characters in {seconds[i]:.1f} s)"
            for i in odd]  # fmt: skip
    message = f"Transcripts that hardly belong to their recordings: {listed(some, _SHOWN)}."
    return [Finding("transcript_mismatch", message, tuple(int(table.rows[i]) for i in odd))]


def _examples(rows: TextRows, said: Sequence[str]) -> Examples:
    texts = np.array(list(said), dtype=np.str_)
    return Examples(
        rows.inputs, texts, TRANSCRIPT, rows.rows, None, rows.weights, dict(rows.slices)
    )


def _prepared(rows: TextRows, said: Sequence[str]) -> tuple[Examples, list[Finding]]:
    """Without copies; recordings nearly the same, and the same words, stay together."""
    made = _examples(rows, said)
    kept, findings = checks.duplicates(made, rows.named)
    made = made.take(kept)
    named = None if rows.named is None else [rows.named[i] for i in kept]
    near = registry.modality("audio").alike(made.inputs)
    assert made.targets is not None
    same = _same_words([str(text) for text in made.targets])
    grouped = grouping.kept_together(made, named, [*near, *same])
    if grouped.groups is not None and len(set(grouped.groups.tolist())) < 2:
        grouped = grouping.kept_together(made, None, ())
    return text_rows.weighed(grouped), [*findings, *checks.alike(made, near)]


def _same_words(said: Sequence[str]) -> list[list[int]]:
    by_words: dict[str, list[int]] = {}
    for place, text in enumerate(said):
        by_words.setdefault(" ".join(column_names.words(text)), []).append(place)
    return [rows for rows in by_words.values() if len(rows) > 1]


def _apart(
    train: TextRows,
    said: Sequence[str],
    test: TextRows,
    answers: Sequence[str],
    option: str,
) -> tuple[Examples, list[Finding]]:
    """Test rows whose recordings are not learned from."""
    texts = dict(zip(test.rows.tolist(), answers, strict=True))
    kept, findings = overlap.without_overlap(train, replace(test, named=None), option)
    findings += overlap.near_overlap(train.inputs, kept)
    known = {" ".join(column_names.words(text)) for text in said}
    left = [texts[row] for row in kept.rows.tolist()]
    same = [row for row, text in zip(kept.rows.tolist(), left)
            if " ".join(column_names.words(text)) in known]  # fmt: skip
    if same:
        message = (
            f"{counted(len(same), 'test row')} say words that are learned from, and are kept; the "
            "score may be too good by them."
        )
        findings.append(Finding("test_words_known", message, tuple(same)))
    findings += _known_speakers(train, test)
    named = dict(zip(test.rows.tolist(), test.named or (None,) * len(test)))
    groups = None if test.named is None else [named[row] for row in kept.rows.tolist()]
    return text_rows.weighed(checks.grouped(_examples(kept, left), groups)), findings


def _known_speakers(train: TextRows, test: TextRows) -> list[Finding]:
    known = set(train.named or ()) - {None}
    rows = [int(row) for row, who in zip(test.rows, test.named or ()) if who in known]
    if not rows:
        return []
    message = (
        f"{counted(len(rows), 'test row')} of speakers that are also learned from; the score says "
        "little about other speakers."
    )
    return [Finding("speaker_overlap", message, tuple(rows))]


def _sample(value: Input, text: str) -> dict[str, str]:
    return {folders.AUDIO: str(value), folders.TEXT: text}


def _none_to_learn(source: str) -> InputError:
    return InputError(
        "no_training_rows",
        f"All recordings of {source} are to be judged by.",
        received="test rows alone",
        allowed="recordings to learn from as well",
        next="Mark some as train.",
    )
