"""Real rows in the forms that people keep them in."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from supertune.catalogue.corpora import few_shot

Row = tuple[str, str]


def _csv(path: Path, rows: Sequence[Row], delimiter: str = ",", encoding: str = "utf-8") -> None:
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream, delimiter=delimiter).writerows([("text", "label"), *rows])


def _records(rows: Sequence[Row]) -> list[dict[str, str]]:
    return [{"text": text, "label": label} for text, label in rows]


def _jsonl(path: Path, rows: Sequence[Row]) -> None:
    lines = [json.dumps(record, ensure_ascii=False) for record in _records(rows)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _parquet(path: Path, rows: Sequence[Row]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.Table.from_pylist(_records(rows)), path, row_group_size=7)


def _xlsx(path: Path, rows: Sequence[Row]) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    book.create_sheet("notes")
    sheet = book.create_sheet("rows")
    for row in (("text", "label"), *rows):
        sheet.append(row)
    book.save(path)


def _folder(path: Path, rows: Sequence[Row]) -> None:
    for number, (text, label) in enumerate(rows):
        (path / label).mkdir(parents=True, exist_ok=True)
        (path / label / f"{number:04}.txt").write_text(text, "utf-8", newline="")
        (path / label / ".DS_Store").write_bytes(b"\0\1\2")


def _gzipped(path: Path, rows: Sequence[Row]) -> None:
    import gzip

    (_csv if ".csv" in path.suffixes else _jsonl)(path, rows)
    path.write_bytes(gzip.compress(path.read_bytes()))


WRITE: dict[str, Callable[[Path, Sequence[Row]], None]] = {
    "rows.csv": _csv,
    "semicolons.csv": lambda path, rows: _csv(path, rows, ";"),
    "tabs.csv": lambda path, rows: _csv(path, rows, "\t"),
    "rows.tsv": lambda path, rows: _csv(path, rows, "\t"),
    "bars.data": lambda path, rows: _csv(path, rows, "|"),
    "no_suffix": _csv,
    "mark.csv": lambda path, rows: _csv(path, rows, encoding="utf-8-sig"),
    "wide.csv": lambda path, rows: _csv(path, rows, encoding="utf-16"),
    "rows.jsonl": _jsonl,
    "lines.json": _jsonl,
    "lines.data": _jsonl,
    "rows.json": lambda path, rows: path.write_text(json.dumps(_records(rows), indent=1)) and None,
    "data.json": lambda path, rows: (
        path.write_text(json.dumps({"version": 1, "data": _records(rows)})) and None
    ),
    "rows.parquet": _parquet,
    "rows.xlsx": _xlsx,
    "classes": _folder,
    "rows.csv.gz": _gzipped,
    "rows.jsonl.gz": _gzipped,
}


@pytest.fixture(scope="session")
def news() -> list[Row]:
    """40 articles of BBC news; sorted by class, as a folder per class is."""
    return sorted(few_shot("bbc-news", per_class=8, test_rows=1, seed=0)[0], key=lambda r: r[1])


@pytest.fixture(scope="session")
def forms(news: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same articles in every form of `WRITE`."""
    folder = tmp_path_factory.mktemp("forms")
    for name, write in WRITE.items():
        write(folder / name, news)
    return folder
