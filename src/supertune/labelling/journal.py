"""Every answer is on the disk before the next row is shown: JSON lines, only ever appended.

The first line says what the file is. Each line after it is one deed: ``label``, ``skip`` or
``undo`` (of the latest deed that still stands). A line counts once its end of line is there, so
whatever kills the process loses at most the answer that was being written; what is left of that
line is cut off when the file is opened again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from supertune.artifact.swap import fault, sync_folder
from supertune.data.media_cells import written
from supertune.data.writers import check_target
from supertune.errors import EnvironmentFault, InputError

FORMAT = "supertune labels 1"


@dataclass(frozen=True)
class Answer:
    """What was decided about one row.

    Attributes:
        key: `supertune.contracts.content_key` of the row's input.
        label: its label; None where the row was skipped.
        row: its number in the pool, the first row being 1.
        cells: what the pool has in the columns that are read, by column.
    """

    key: str
    label: str | None
    row: int
    cells: dict[str, Any]


class Journal:
    """The answers that stand, and the file that holds them; see `opened`."""

    def __init__(self, path: Path, stream: BinaryIO | None, answers: list[Answer]) -> None:
        self.path = path
        self._stream = stream
        self._answers = answers

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Those that stand, the earliest first."""
        return tuple(self._answers)

    @property
    def labelled(self) -> tuple[Answer, ...]:
        return tuple(one for one in self._answers if one.label is not None)

    def add(self, answer: Answer) -> None:
        """Put one answer on the disk.

        Raises:
            EnvironmentFault: ``no_space``, ``output_read_only`` or ``output_unwritable``.
        """
        deed = "skip" if answer.label is None else "label"
        cells = {name: written(cell, self.path.parent) for name, cell in answer.cells.items()}
        answer = replace(answer, cells=cells)
        line = {"do": deed, "key": answer.key, "row": answer.row, "cells": cells}
        self._append(line | ({} if answer.label is None else {"label": answer.label}))
        self._answers.append(answer)

    def undo(self) -> Answer | None:
        """Take the latest answer back, also one of an earlier session; None where none is left."""
        if not self._answers:
            return None
        self._append({"do": "undo", "key": self._answers[-1].key})
        return self._answers.pop()

    def _append(self, line: dict[str, Any]) -> None:
        assert self._stream is not None, "the journal was opened to be read"
        try:
            self._stream.write(_line(line))
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise fault(error, self.path) from error


def _line(value: dict[str, Any]) -> bytes:
    # A cell of a spreadsheet or of parquet may be a date, which JSON has not.
    return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8") + b"\n"


def read(path: Path) -> Journal:
    """The answers of a file that others may be writing; none where there is no file.

    Raises:
        InputError: ``not_a_journal``, ``file_unreadable``.
    """
    return Journal(path, None, _parsed(path, _content(path)))


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """The journal at ``path``, to be gone on with; begun where there is none.

    Raises:
        InputError: as `read`; ``output_folder_missing``.
        EnvironmentFault: ``labels_busy`` while another process labels into it; or as `Journal.add`.
    """
    check_target(path.with_suffix(".jsonl"), overwrite=True)
    _parsed(path, _content(path))  # whatever else it is, it is not to be touched
    with ExitStack() as held:
        try:
            held.enter_context(_alone(path))
            stream = held.enter_context(path.open("r+b" if path.exists() else "w+b"))
            content = stream.read()
            answers = _parsed(path, content)
            whole = content.rfind(b"\n") + 1
            stream.truncate(whole)
            stream.seek(whole)
        except OSError as error:
            raise fault(error, path) from error
        journal = Journal(path, stream, answers)
        if not whole:
            journal._append({"format": FORMAT})
            sync_folder(path.resolve().parent)
        yield journal


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process a file; a process that was killed holds nothing."""
    from filelock import FileLock, Timeout

    place = path.with_name(f".{path.name}.lock")
    lock = FileLock(place, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise EnvironmentFault(
            "labels_busy",
            f"Another process is labelling into {path}.",
            received=str(path),
            allowed="one process at a time",
            next="Finish there first, or give another file with --answers.",
        ) from error
    try:
        yield
    finally:
        if os.name == "posix":  # while it is held: filelock notices and tries again
            place.unlink(missing_ok=True)
        lock.release()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InputError(
            "file_unreadable",
            f"{path} cannot be read.",
            received=f"{path}: {error.strerror or error}",
            allowed="a file that you may read",
            next="Check its permissions, or give another file with --answers.",
        ) from error


def _parsed(path: Path, content: bytes) -> list[Answer]:
    """The answers that stand; a line without its end was cut short and does not count."""
    lines = content.split(b"\n")[:-1]
    if not lines:
        if content and not _header_begun(content):
            raise _not_a_journal(path, 1)
        return []
    standing: list[Answer] = []
    for number, line in enumerate(lines, start=1):
        try:
            value = json.loads(line)
            if number == 1:
                if value["format"] != FORMAT:
                    raise _not_a_journal(path, number)
            elif value["do"] == "undo":
                standing.pop()
            elif value["do"] in ("label", "skip"):
                standing.append(_answer(value))
            else:
                raise _not_a_journal(path, number)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            if isinstance(error, InputError):
                raise
            raise _not_a_journal(path, number) from error
    return standing


def _header_begun(content: bytes) -> bool:
    return json.dumps({"format": FORMAT}).encode().startswith(content)


def _answer(value: dict[str, Any]) -> Answer:
    label = value["label"] if value["do"] == "label" else None
    cells, key = value["cells"], value["key"]
    if not isinstance(cells, dict) or not isinstance(key, str):
        raise ValueError("not an answer")
    if label is not None and not isinstance(label, str):
        raise ValueError("not a label")
    return Answer(key, label, int(value["row"]), cells)


def _not_a_journal(path: Path, line: int) -> InputError:
    return InputError(
        "not_a_journal",
        f"{path} does not hold answers that `supertune label` wrote.",
        received=f"{path}, line {line}",
        allowed="a file that it began itself, or a new one",
        next="Give another file with --answers, or move that one away.",
    )
