"""Files, folders and columns that ``supertune fit`` refuses, each by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bad_inputs.conftest import GOOD, ROWS, Bad, Refused, both, file, good

LINES = GOOD.splitlines(keepends=True)
TITLE = LINES[0]


def columns(**more: str) -> str:
    """The good rows with columns of one cell beside them."""
    titles = ",".join(["text", "label", *more])
    rows = [",".join([text, label, *more.values()]) for text, label in ROWS]
    return "\n".join([titles, *rows]) + "\n"


def huge_cell(here: Path) -> None:
    cell = "word " * 2_100_000
    (here / "rows.csv").write_text(f"{TITLE}{cell},good\nshort,bad\n")


def many_columns(here: Path) -> None:
    (here / "rows.csv").write_text(",".join(f"c{i}" for i in range(2_000_000)) + "\n")


def empty_folder(here: Path) -> None:
    (here / "rows").mkdir()


def loose_texts(here: Path) -> None:
    (here / "rows").mkdir()
    (here / "rows" / "1.txt").write_text("no class folder")


def link_to_itself(here: Path) -> None:
    (here / "rows.csv").symlink_to(here / "rows.csv")


def without_end(here: Path) -> None:
    (here / "rows.csv").symlink_to("/dev/zero")


def workbook(here: Path) -> None:
    (here / "rows.xlsx").write_bytes(b"PK\x03\x04 not really")


def parquet(here: Path) -> None:
    (here / "rows.parquet").write_bytes(b"PAR1 and then nothing")


FILES = {
    "a file that is not there": Bad("file_missing"),
    "a name one letter off": Bad("file_missing", good, ("row.csv",), "rows.csv"),
    "an empty file": Bad("empty_file", file("")),
    "blank lines only": Bad("empty_file", file("\n\n  \n")),
    "titles and no rows": Bad("no_rows", file(TITLE)),
    "one row": Bad("too_few_rows", file("".join(LINES[:2]))),
    "one class": Bad("one_class", file(TITLE + "a,good\nb,good\nc,good\n"), said="good"),
    "one row a class": Bad(
        "one_row_a_class",
        file(TITLE + "first,a\nsecond,b\nthird,c\n"),
        ("rows.csv", "--text", "text", "--label", "label"),
    ),
    "all rows unlabelled": Bad(
        "no_labels",
        file(TITLE + "first,\nsecond,\nthird,\n"),
        ("rows.csv", "--text", "text", "--label", "label"),
    ),
    "no text in any row": Bad(
        "no_texts",
        file(TITLE + ",good\n,bad\n,good\n"),
        ("rows.csv", "--text", "text", "--label", "label"),
    ),
    "a binary file": Bad("binary_file", file(bytes(range(256)) * 40)),
    "a picture called csv": Bad("binary_file", file(b"\x89PNG\r\n\x1a\n" + bytes(400))),
    "broken UTF-8": Bad(
        "broken_encoding", file(GOOD.encode() + "né,bad\n".encode() + b"\xff\xfe\xc3,good\n")
    ),
    "NUL bytes": Bad("nul_byte", file(GOOD.replace("dull", "du\0ll"))),
    "a cell of ten megabytes": Bad("cell_too_large", huge_cell, said="row 1"),
    "two million columns": Bad("too_many_columns", many_columns),
    "an unclosed quote": Bad("unclosed_quote", file(GOOD + '"never closed,good\nmore,bad\n')),
    "a repeated title": Bad(
        "duplicate_column", file("text,label,text\na,b,c\nd,e,f\n"), said="text"
    ),
    "a row with a cell too many": Bad("ragged_row", file(GOOD + "a,b,c,d\n"), said="9"),
    "broken JSON lines": Bad("broken_json", file('{"text": "a"\n', "rows.jsonl"), ("rows.jsonl",)),
    "a JSON list of numbers": Bad("unknown_rows", file("[1, 2, 3]", "rows.json"), ("rows.json",)),
    "a broken workbook": Bad("file_unreadable", workbook, ("rows.xlsx",)),
    "a broken parquet file": Bad("file_unreadable", parquet, ("rows.parquet",)),
    "an unknown ending": Bad("unknown_format", file(GOOD, "rows.docx"), ("rows.docx",)),
    "an address on the web": Bad("remote_path", arguments=("https://example.com/rows.csv",)),
    "an empty folder": Bad("no_class_folders", empty_folder, ("rows",)),
    "texts without class folders": Bad("no_class_folders", loose_texts, ("rows",)),
    "a link to itself": Bad("file_missing", link_to_itself),
    "a device without an end": Bad("binary_file", without_end),
    "a name with a NUL": Bad("file_missing", arguments=("rows\0.csv",)),
    "labels that are measurements": Bad(
        "label_looks_numeric",
        file(TITLE + "".join(f"text {i},{i * 1.37}\n" for i in range(30))),
        ("rows.csv", "--label", "label"),
    ),
    "almost a label a row": Bad(
        "too_many_labels",
        file(TITLE + "".join(f"text {i},name{max(i, 1)}\n" for i in range(30))),
        ("rows.csv", "--text", "text", "--label", "label"),
    ),
    "a weight that is no number": Bad(
        "bad_weight", file(columns(heavy="much")), ("rows.csv", "--weight", "heavy"), "row 1"
    ),
    "a negative weight": Bad(
        "bad_weight", file(columns(heavy="-1")), ("rows.csv", "--weight", "heavy")
    ),
    "a time that is none": Bad(
        "bad_time", file(columns(day="soon")), ("rows.csv", "--time", "day"), "row 1"
    ),
    "a split of unknown words": Bad(
        "bad_split", file(columns(side="left")), ("rows.csv", "--split", "side"), "left"
    ),
    "a split without training rows": Bad(
        "no_training_rows", file(columns(side="test")), ("rows.csv", "--split", "side")
    ),
    "no column that could be a text": Bad("no_text_column", file("a,b\n1,2\n3,4\n5,6\n7,8\n")),
    "a test file that is not there": Bad(
        "file_missing", good, ("rows.csv", "--test", "held.csv"), "held.csv"
    ),
    "a test file with unknown labels": Bad(
        "unknown_test_label",
        both(good, file(TITLE + "fine,great\n", "held.csv")),
        ("rows.csv", "--test", "held.csv"),
        "great",
    ),
    "test rows that are the training rows": Bad(
        "test_overlap",
        both(good, file(GOOD, "held.csv")),
        ("rows.csv", "--test", "held.csv"),
    ),
    "test rows without labels": Bad(
        "no_test_labels",
        both(good, file(TITLE + "fine,\n", "held.csv")),
        ("rows.csv", "--test", "held.csv"),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused(refused: Refused, here: Path, name: str) -> None:
    bad = FILES[name]
    bad.make(here)
    refused("fit", *bad.arguments, "-o", "model", code=bad.code, said=bad.said)
