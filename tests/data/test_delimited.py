"""Delimiters and quotes are found from the rows; a cell comes back as it was written."""

from __future__ import annotations

import csv
import io
import random
import threading
from collections.abc import Sequence

import pytest

from supertune.data import delimited
from supertune.data.dialect import CELL_LIMIT, Dialect, detect
from supertune.data.encoding import lines
from supertune.data.table import Table
from supertune.data.windows import MAX_CELL
from supertune.errors import InputError

ALPHABET = ["a", "Ü", "好", " ", ",", ";", "\t", "|", '"', "'", "\n", "\r\n", "\\", "x y", "#"]


def read(text: str, expected: str = ",", piece: int = 1 << 18) -> Table:
    pieces = (text[start : start + piece] for start in range(0, len(text), piece))
    found = delimited.windows(lines(pieces), "rows.csv", 10**9, expected=expected, notes=[])
    return next(found)


def columns(text: str, expected: str = ",") -> list[list[str | None]]:
    """Each row as a list, below the header."""
    values = read(text, expected).values
    return [list(row) for row in zip(*values.values(), strict=True)]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_csv_module_writes_is_read_back(seed: int) -> None:
    rng = random.Random(seed)
    width, delimiter = rng.randint(2, 5), rng.choice(",;\t|")
    rows = [
        ["".join(rng.choices(ALPHABET, k=rng.randint(0, 12))) for _ in range(width)]
        for _ in range(rng.randint(1, 60))
    ]
    stream = io.StringIO()
    writer = csv.writer(
        stream,
        delimiter=delimiter,
        lineterminator=rng.choice(["\n", "\r\n"]),
        quoting=rng.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    )
    writer.writerows([[f"column {i}" for i in range(width)], *rows])
    table = read(stream.getvalue(), delimiter, piece=rng.choice([1, 7, 100_000]))
    assert list(map(list, zip(*table.values.values(), strict=True))) == [
        [cell or None for cell in row] for row in rows
    ]
    assert table.rows.tolist() == list(range(1, len(rows) + 1))


@pytest.mark.parametrize(
    ("text", "expected", "dialect"),
    [
        ("text,label\nGood; very good,pos\nBad; bad,neg\n", ",", Dialect(",")),
        ("text;label\nGood, very good;pos\nBad, bad;neg\n", ",", Dialect(";")),
        ("text;label\nGood\tvery;pos\n", "\t", Dialect(";")),
        ("text\tlabel\nGood, very, good\tpos\nBad; b\tneg\n", ",", Dialect("\t")),
        ("text|label\nGood, very|pos\nBad; b|neg\n", ",", Dialect("|")),
        ("id,text,label|type\n1,a|b,pos\n2,c,neg\n", ",", Dialect(",")),
        ("a;b,c\n1;2,3\n4;5,6\n", ",", Dialect(",")),
        ("a;b,c\n1;2,3\n4;5,6\n", ";", Dialect(";")),
        ("text,label\n", ",", Dialect(",")),
        ("text;label\n", ",", Dialect(";")),
        ("text\nfine\n", ",", Dialect("\x1f")),
        ("text,label\n'Good, very',pos\n'Bad',neg\n", ",", Dialect(",", quote="'")),
        ("text,label\n'Good','pos'\n'Bad','neg'\n", ",", Dialect(",", quote="'")),
        ("text,label\n'tis good,pos\nIt is 'bad',neg\n", ",", Dialect(",")),
        ('text,label\n"She said \\"no, no\\", ok",pos\nBad,neg\n', ",", Dialect(",", escape="\\")),
        ("text,label\nC:\\new\\table,pos\nBad,neg\n", ",", Dialect(",")),
        ('text\tlabel\n"Good\tpos\nBad one\tneg\n', "\t", Dialect("\t", quote=None)),
        ('text\tlabel\n"Good\tpos\n"Bad" one\tneg\n', "\t", Dialect("\t", quote=None)),
        ('text\tlabel\n"Good\tpos\nBad"\tneg\n', "\t", Dialect("\t", quote=None)),
        ('text\tlabel\n"Good\nor ""so"""\tpos\n"Bad"\tneg\n', "\t", Dialect("\t")),
        ('text, label\n"Good, very", pos\nBad, neg\n', ",", Dialect(",", skip_space=True)),
    ],
)
def test_the_dialect_is_the_one_under_which_rows_agree(
    text: str, expected: str, dialect: Dialect
) -> None:
    assert detect(text.splitlines(keepends=True), expected=expected, whole=True) == dialect


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('a,b\n"x, ""y""\nz",1\n', [['x, "y"\nz', "1"]]),
        ('a,b\r\n"x\r\ny",1\r\n', [["x\r\ny", "1"]]),
        ("a,b\rx,1\ry,2", [["x", "1"], ["y", "2"]]),
        ("\n\na,b\n\nx,1\n  \n\ny,2\n\n\n", [["x", "1"], ["y", "2"]]),
        ("  \n,\n a,b\nx,1\n", [["x", "1"]]),
        ("a,b\n,\nx,\n", [[None, None], ["x", None]]),
        ('a,b\n"",""\n" ",1\n', [[None, None], [" ", "1"]]),
        ("text\nHello, you\nOh, well\n\nBye\n", [["Hello, you"], ["Oh, well"], ["Bye"]]),
        ('text\n"Hello, you"\n""\n', [["Hello, you"], [None]]),
        ("a,b\nno newline,1", [["no newline", "1"]]),
        ('a,b\n5" nails,1\n"7"" nails",2\n', [['5" nails', "1"], ['7" nails', "2"]]),
        ("a,b\nx\x85y\u2028z\x0b,1\n", [["x\x85y\u2028z\x0b", "1"]]),
    ],
)  # fmt: skip
def test_cells_are_what_stands_between_delimiters(text: str, rows: list[list[str | None]]) -> None:
    assert columns(text) == rows


def test_names_are_trimmed_and_missing_ones_made_up_aloud() -> None:
    table = read(" text ,,label\na,b,c\n")
    assert table.names == ("text", "column 2", "label")
    assert table.notes == ("Column 2 of rows.csv has no name; it is called 'column 2'.",)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("a;b\n1;2\n", "separated by semicolons"),
        ("a,b\n'1,5','2'\n'1','2'\n", "enclosed in '"),
        ('a,b\n"\\"1\\", 2",3\n', "backslash"),
    ],
)
def test_what_is_unusual_is_said(text: str, note: str) -> None:
    (said,) = read(text).notes
    assert note in said


def test_row_numbers_go_on_from_window_to_window() -> None:
    text = "a,b\n" + "".join(f'{i},"x\n\ny"\n\n' for i in range(1, 11))
    found = delimited.windows(lines([text]), "rows.csv", 4, expected=",", notes=[])
    windows = list(found)
    assert [window.rows.tolist() for window in windows] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert [cell for window in windows for cell in window.values["a"]] == [
        str(i) for i in range(1, 11)
    ]


@pytest.mark.parametrize("length", [200_000, MAX_CELL])
def test_a_long_document_is_one_cell(length: int) -> None:
    """The csv module's own limit is 131,072 characters."""
    assert columns(f'a,b\n{"x" * length},1\n"{"y" * length}",2\n') == [
        ["x" * length, "1"],
        ["y" * length, "2"],
    ]


def test_the_process_keeps_its_own_cell_limit() -> None:
    before = csv.field_size_limit(12_345)
    try:
        assert columns(f"a,b\n{'x' * 20_000},1\n") == [["x" * 20_000, "1"]]
        with pytest.raises(InputError):
            read(f"a,b\n{'x' * (MAX_CELL + 1)},1\n")
        assert csv.field_size_limit() == 12_345
    finally:
        csv.field_size_limit(before)


def test_two_readers_at_once_leave_the_limit_as_it_was() -> None:
    before = csv.field_size_limit()
    inside, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with CELL_LIMIT:
            inside.set()
            may_end.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    assert inside.wait(10)
    with CELL_LIMIT:
        may_end.set()
        other.join()
        assert csv.field_size_limit() == MAX_CELL
    assert csv.field_size_limit() == before


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
def test_lines_do_not_depend_on_the_pieces_they_come_in(piece: int) -> None:
    text = "one\r\ntwo\rthree\n\n\r\r\nfour\u2028still four"
    pieces: Sequence[str] = [text[at : at + piece] for at in range(0, len(text), piece)]
    assert list(lines(pieces)) == [
        "one\r\n",
        "two\r",
        "three\n",
        "\n",
        "\r",
        "\r\n",
        "four\u2028still four",
    ]
