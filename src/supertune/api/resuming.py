"""Files of answers that are gone on with where they stopped.

While a file is written its rows are in a file beside it, a line each, behind a line that says what
they were made of. If that is interrupted, the same call goes on behind the last of them.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from supertune.errors import InputError

FORMATS = (".jsonl", ".csv", ".tsv", ".txt")
PART = ".part"
Progress = Callable[[str, int, int | None], None]
Rows = Callable[[int], Iterator[list[dict[str, Any]]]]  # windows of rows behind the first so many


@dataclass(frozen=True)
class Kind:
    """What a file holds.

    Attributes:
        verb, noun: ``"translate"``, ``"translations"``.
        columns: of a table; the second is the answer.
        marked: whether a row is counted, and as what.
    """

    verb: str
    noun: str
    columns: tuple[str, ...]
    counted: str
    marked: Callable[[Mapping[str, Any]], bool]

    @property
    def answer(self) -> str:
        return self.columns[1]


def place(output: Path, overwrite: bool, kind: Kind) -> Path:
    """Where to write.

    Raises:
        InputError: ``unknown_format``, ``output_exists``.
    """
    if output.suffix.lower() not in FORMATS:
        raise InputError(
            "unknown_format",
            f"{kind.noun.capitalize()} are not written as "
            f"{output.suffix or 'a file without an ending'}.",
            received=output.name,
            allowed=", ".join(FORMATS),
            next=f"For example {kind.noun}.jsonl.",
        )
    if output.exists() and not overwrite:
        raise InputError(
            "output_exists",
            f"{output} is there already.",
            received=str(output),
            allowed="a new file",
            next="Choose another name, or add --overwrite.",
        )
    return output


def part_of(output: Path) -> Path:
    """Where the rows of ``output`` are until all are there."""
    return output.with_name(output.name + PART)


def key(told: Sequence[Any], *numbers: Mapping[str, npt.NDArray[Any]]) -> str:
    """What a file that was begun must have in common with one that goes on."""
    digest = hashlib.sha256()
    for arrays in numbers:
        for name, array in sorted(arrays.items()):
            digest.update(name.encode() + array.tobytes())
    said = [*told, digest.hexdigest()]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def written(
    output: Path, rows: Rows, key: str, kind: Kind, progress: Progress | None
) -> dict[str, Any]:
    """Write what is missing; how many rows there are.

    Raises:
        InputError: ``cannot_resume``.
    """
    part = part_of(output)
    done, marked = _begun(part, key, kind)
    with part.open("a", encoding="utf-8", newline="\n") as stream:
        if not part.stat().st_size:
            stream.write(json.dumps({"key": key}) + "\n")
        for window in rows(done):
            for row in window:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
                marked += kind.marked(row)
            stream.flush()
            done += len(window)
            if progress is not None and window:
                progress(kind.verb, done, None)
    whole = output.with_name(output.name + ".new")
    _converted(part, whole, output.suffix.lower(), kind)
    whole.replace(output)
    part.unlink()
    return {"output": str(output), "rows": done, kind.counted: marked}


def _begun(part: Path, key: str, kind: Kind) -> tuple[int, int]:
    """How many rows are there already, and how many of them are marked; a last line that was cut
    off is taken away."""
    if not part.is_file() or not part.stat().st_size:
        return 0, 0
    done = marked = end = 0
    with part.open("rb") as stream:
        for number, line in enumerate(stream):
            if not line.endswith(b"\n"):
                break
            row = json.loads(line)
            if number == 0 and row.get("key") != key:
                raise InputError(
                    "cannot_resume",
                    f"{part.name} was begun from another source, model or setting.",
                    received=str(part),
                    allowed="the same call once more",
                    next=f"Delete {part.name} to begin anew.",
                )
            if number:
                done += 1
                marked += kind.marked(row)
            end += len(line)
    with part.open("rb+") as stream:
        stream.truncate(end)
    return done, marked


def _converted(part: Path, whole: Path, suffix: str, kind: Kind) -> None:
    """The rows of a part as a file of that kind; in lines of texts, line breaks become blanks."""
    with part.open(encoding="utf-8") as given, whole.open("w", encoding="utf-8", newline="") as out:
        next(given)
        table = csv.writer(out, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\n")
        if suffix in (".csv", ".tsv"):
            table.writerow(kind.columns)
        for line in given:
            row = json.loads(line)
            if suffix == ".jsonl":
                out.write(line)
            elif suffix == ".txt":
                out.write(" ".join((row[kind.answer] or "").split("\n")) + "\n")
            else:
                table.writerow([_cell(row[name]) for name in kind.columns])


def _cell(value: Any) -> Any:
    """A list of words as words; what is nested as JSON."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
