"""What cannot be read is refused at once: a code, where it is, what is allowed, what to do."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from supertune.data import readers
from supertune.errors import EnvironmentFault, SupertuneError

GOOD = b"text,label\nHello there,pos\nGo away,neg\n"


@dataclass(frozen=True)
class Bad:
    """One source: the file (or whatever else) it is, and what the error must say."""

    name: str  # of the test and, with its suffix, of the file
    code: str
    content: bytes | Callable[[Path], Any]  # a callable makes the source, and returns it
    received: str = ""
    next: str = ""
    allowed: str = ""


def _png() -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 20


def _zip(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x" * 100)
    return stream.getvalue()


def _numpy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.arange(100))
    return stream.getvalue()


def _workbook(*rows: tuple[Any, ...]) -> bytes:
    import openpyxl

    book, stream = openpyxl.Workbook(), io.BytesIO()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.save(stream)
    return stream.getvalue()


def _arrow(*names: str, count: int = 2) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    stream = io.BytesIO()
    arrays = [pa.array(["x" * 50] * count) for _ in names]
    parquet.write_table(pa.Table.from_arrays(arrays, names=list(names)), stream)
    return stream.getvalue()


def _missing(folder: Path) -> Path:
    (folder / "reviews.csv").write_bytes(GOOD)
    return folder / "reveiws.csv"


def _folder(*files: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        target = folder / "given"
        target.mkdir()
        for file in files:
            (target / file).parent.mkdir(exist_ok=True)
            (target / file).write_bytes(GOOD)
        return target

    return make


def _given(source: Any) -> Callable[[Path], Any]:
    return lambda folder: source


def _class_with(content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for label, data in (("good", b"fine"), ("bad", content)):
            (folder / "classes" / label).mkdir(parents=True)
            (folder / "classes" / label / "1.txt").write_bytes(data)
        return folder / "classes"

    return make


MANY = ",".join(f"c{i}" for i in range(2_000_000)).encode()
BIG = b"x" * 10_000_000
SWALLOWED = b'text,label\n"never closed,pos\n' + b"a fine row of some length,neg\n" * 60_000

FILES = [
    Bad("missing.csv", "file_missing", _missing, "reveiws.csv", "reviews.csv'?"),
    Bad("missing_folder", "file_missing", lambda f: f / "no" / "x.csv", "x.csv", "folder"),
    Bad("a_text", "file_missing", _given("I liked it.\n" * 90), "I liked it.", "[text]"),
    Bad("nul_in_path", "file_missing", _given("a\0b.csv"), "a", "list"),
    Bad("address", "remote_path", _given("https://example.org/a.csv"), "https", "Download"),
    Bad("empty.csv", "empty_file", b"", "no text", "written to its end"),
    Bad("blank.csv", "empty_file", b"\n\r\n  \n", "no text", "", "header"),
    Bad("delimiters.csv", "empty_file", b',,\n"",""\n'),
    Bad("mark.csv", "empty_file", b"\xef\xbb\xbf"),
    Bad("empty.jsonl", "empty_file", b"\n\n"),
    Bad("empty.json", "empty_file", b"  "),
    Bad("empty.parquet", "empty_file", b""),
    Bad("empty.txt", "empty_file", b"\n\n\n"),
    Bad("header.csv", "no_rows", b"text,label\n", "0 rows", "below the names", "one row"),
    Bad("header.xlsx", "no_rows", _workbook(("text", "label"))),
    Bad("blank.xlsx", "no_rows", _workbook()),
    Bad("header.parquet", "no_rows", _arrow("text", "label", count=0)),
    Bad("empty_array.json", "no_rows", b"[]"),
    Bad("picture.csv", "binary_file", _png(), "a PNG picture", "suffix", ".csv"),
    Bad("archive.csv", "binary_file", _zip("a.txt"), "zip archive"),
    Bad("pickle.csv", "binary_file", pickle.dumps({"text": ["a"] * 9}), "Python pickle"),
    Bad("array.tsv", "binary_file", _numpy(), "NumPy array"),
    Bad("parquet.jsonl", "binary_file", _arrow("text"), "parquet"),
    Bad("noise.csv", "binary_file", bytes(range(256)) * 100, "binary data"),
    Bad("zeros.csv", "binary_file", bytes(5000), "binary data"),
    Bad("class_of_pictures", "binary_file", _class_with(_png()), "PNG"),
    Bad("nul.csv", "nul_byte", GOOD + b"a\0b,neg\n", "line 4", "tr -d"),
    Bad("broken.csv", "broken_encoding", GOOD * 50 + "né,".encode() + b"\xff\n", "line 151"),
    Bad("cut.csv", "broken_encoding", "text\nnaïve\n好的".encode()[:-1], "line 3, byte 16: 0xe7"),
    Bad("stray.jsonl", "broken_encoding", '{"text": "好的"}\n'.encode() + b'{"text": "\xe9t"}',
        "line 2, byte 30: 0xe9"),
    Bad("late.csv", "broken_encoding", GOOD + b"plain,pos\n" * 90_000 + b"\xff\xfe,pos\n",
        "line 90004, byte 900040", "iconv"),
    Bad("half_utf16.csv", "broken_encoding", "text,label\n好,b\n".encode("utf-16")[:-1],
        "line 2, byte 31"),
    Bad("false_utf16.csv", "broken_encoding", b"\xff\xfe" + GOOD, "line 1, byte 1: 0xff"),
    Bad("class_broken", "broken_encoding", _class_with("naïf ".encode() + b"\xc3"), "byte 7"),
    Bad("unclosed.csv", "unclosed_quote", b'text,label\na,b\n"c\nd",e\n"f,g\nh,i\n', "line 5",
        "line 5", "second"),
    Bad("unclosed_later.csv", "unclosed_quote", b'a,b\n"c\nd","e\n', "line 3, column 2"),
    Bad("unclosed_name.csv", "unclosed_quote", b'text,"label\na,b\n', "line 1, column 2", "line 1"),
    Bad("swallowed.csv", "unclosed_quote", SWALLOWED, "line 2, column 1", "line 2"),
    Bad("wide_row.csv", "ragged_row", GOOD + b"a,b,c\n", "row 3 (line 4): a,b,c", "quotes",
        "2 cells separated by commas: text, label"),
    Bad("narrow_row.csv", "ragged_row", b"a,b,c\n\n1,2,3\n4,5\n", "row 2 (line 4)", "missing"),
    Bad("after_newlines.csv", "ragged_row", b'a,b\n"1\n\n2",x\n3,4,5\n', "row 2 (line 5)"),
    Bad("inner_quote.csv", "stray_quote", GOOD + b'"say "hi" to",pos\n', 'row 3 (line 4): "say',
        "twice", '""'),
    Bad("swallowing_quote.csv", "stray_quote", GOOD + b'"good,pos\nbad "one",neg\n',
        "row 3 (line 5, of a row that begins on line 4): bad", "line 4"),
    Bad("swallowing_row.csv", "ragged_row", b'a,b\n"x,1\ny",2,3\n', "row 1 (line 2)", "closed"),
    Bad("nameless.csv", "ragged_row", b"text\na,pos\nb,neg\n", "row 1 (line 2): a,pos"),
    Bad("wide_row.tsv", "ragged_row", b"a\tb\n1\t2\n3\t4\t5\n" + b"6\t7\n" * 99, "row 2 (line 3)"),
    Bad("late_row.csv", "ragged_row", GOOD + b"a,pos\n" * 70_000 + b"a,b,pos\n",
        "row 70003 (line 70004)"),
    Bad("wide_row.xlsx", "ragged_row", _workbook(("a",), ("1",), ("2", "3")), "row 2 (line 3"),
    Bad("twice.csv", "duplicate_column", b"text,label,text\na,b,c\n", "columns 1 and 3: 'text'",
        "Rename"),
    Bad("blanks_twice.csv", "duplicate_column", b"text, text\na,b\n", "'text'"),
    Bad("twice.xlsx", "duplicate_column", _workbook(("a", "a"), (1, 2)), "columns 1 and 2"),
    Bad("twice.jsonl", "duplicate_column", b'{"a": 1}\n{"a": 1, "a": 2}', "row 2, key 'a'"),
    Bad("twice.parquet", "duplicate_column", _arrow("text", "text"), "columns 1 and 2"),
    Bad("big_cell.csv", "cell_too_large", GOOD + b"x," + BIG + b"\n", "row 3, column 'label'",
        "Split", "1,000,000"),
    Bad("big_quoted.csv", "cell_too_large", GOOD + b'"' + b"word\n" * 900_000 + b'",x\n',
        "row 3, column 'text'"),
    Bad("big_header.csv", "cell_too_large", b"text," + BIG + b"\na,b\n", "the header"),
    Bad("long_line.csv", "cell_too_large", GOOD + b"x," + BIG * 3, "row 3, column 'label'"),
    Bad("long_first_line.csv", "cell_too_large", BIG * 3, "the header"),
    Bad("big_cell.jsonl", "cell_too_large", b'{"a": 1}\n{"b": "' + BIG + b'"}',
        "row 2, column 'b'"),
    Bad("long_line.jsonl", "cell_too_large", b'{"a": 1}\n{"b": "' + BIG * 3 + b'"}', "row 2"),
    Bad("big_line.txt", "cell_too_large", b"a\n" + BIG, "row 2, column 'text'"),
    Bad("big_text.py", "cell_too_large", _given(["a", BIG.decode()]), "row 2, column 'text'"),
    Bad("class_big", "cell_too_large", _class_with(BIG), "row 1, column 'text'"),
    Bad("columns.csv", "too_many_columns", MANY + b"\n" + MANY, "columns", "transposed", "10,000"),
    Bad("columns", "too_many_columns", MANY + b"\n" + MANY, "columns"),
    Bad("cells.csv", "ragged_row", GOOD + b"," * 2_000_000, "row 3 (line 4)"),
    Bad("columns.jsonl", "too_many_columns",
        ("{" + ",".join(f'"{i}":1' for i in range(500_000)) + "}").encode(), "500,000"),
    Bad("columns.parquet", "too_many_columns", _arrow(*map(str, range(10_001)), count=1), "10,001"),
    Bad("comma.jsonl", "broken_json", b'{"text": "a"}\n{"text": "b",}\n', "line 2, column 14"),
    Bad("cut.jsonl", "broken_json", b'{"text": "a"}\n\n{"text": "b', "line 3", "cut short"),
    Bad("valueless.jsonl", "broken_json", b'{"a": 1}\n{"a": \n{"a": 2}\n', "line 2, column 6"),
    Bad("valueless.json", "broken_json", b'[{"a": 1},\n{"a":\n}]\n', "line 2, column 6"),
    Bad("odd_word.json", "broken_json", b'[{"a": 1},\n  oops]\n', "line 2, column 3"),
    Bad("cut.json", "broken_json", b'[{"text": "a"},\n{"text": ', "line 2"),
    Bad("deep.json", "broken_json", b"[" * 100_000, "line 1", "", "one object a line"),
    Bad("deep.jsonl", "broken_json", b'{"a":' * 100_000, "line 1"),
    Bad("number.jsonl", "broken_json", b'{"a": ' + b"9" * 5000 + b"}", "line 1"),
    Bad("list.jsonl", "not_an_object", b'{"a": 1}\n["a", 1]\n', "row 2 (line 2): a list"),
    Bad("text.jsonl", "not_an_object", b'"a"\n', "row 1 (line 1): a text"),
    Bad("frame.json", "not_rows", b'{"text": {"0": "a"}, "label": {"0": "b"}}', "keys text, label",
        'orient="records"', '{"data"'),
    Bad("number.json", "not_rows", b"3", "a number"),
    Bad("numbers.json", "unknown_rows", b"[1, 2]", "row 1: int"),
    Bad("mixed.json", "mixed_rows", b'[{"text": "a"}, "b"]', "row 2: str"),
    Bad("half_emoji.jsonl", "broken_character", b'{"a": "x"}\n{"a": "y\\ud83d"}',
        "row 2, column 'a', character 2", "emoji"),
    Bad("damaged.parquet", "file_unreadable", _arrow("text")[:-20], "", "again", "parquet"),
    Bad("flipped.parquet", "file_unreadable", _arrow("text").replace(b"PAR1", b"PAR0"), ""),
    Bad("damaged.xlsx", "file_unreadable", _workbook(("a",), ("b",))[:-40], "", "again", "xlsx"),
    Bad("other.xlsx", "file_unreadable", _zip("word/document.xml"), ""),
    Bad("damaged.csv.gz", "file_unreadable", gzip.compress(GOOD * 99)[:-9], "", "again", "gzip"),
    Bad("plain.csv.gz", "file_unreadable", GOOD, "gzip"),
    Bad("thesis.docx", "unknown_format", _zip("word/document.xml"), "thesis.docx", "table", ".csv"),
    Bad("paper.pdf", "unknown_format", b"%PDF-1.7", "paper.pdf", "Extract"),
    Bad("frame.pkl", "unknown_format", pickle.dumps([1]), "frame.pkl", "to_parquet"),
    Bad("old.xls", "unknown_format", b"\xd0\xcf\x11\xe0", "old.xls", ".xlsx"),
    Bad("array.npy", "unknown_format", _numpy(), "array.npy", "list of pairs"),
    Bad("no_classes", "no_class_folders", _folder(), "an empty folder", "", "positive/1.txt"),
    Bad("tables", "no_class_folders", _folder("a.csv", "b.csv"), "a.csv, b.csv", "a.csv'?"),
    Bad("no_texts", "no_class_folders", _folder("pos/1.pdf", "neg/2.pdf"), "neg, pos"),
    Bad("triples", "unknown_rows", _given([("a", "b", "c")]), "row 1: tuple of 3", "text2",
        "pairs"),
    Bad("numbers", "unknown_rows", _given([1, 2]), "row 1: int"),
    Bad("number_first", "unknown_rows", _given([(1, "a")]), "row 1", "text first"),
    Bad("mixed", "mixed_rows", _given([("a", "b")] * 5 + ["c"]), "row 6: str: 'c'", "same form"),
    Bad("no_texts_at_all", "no_rows", _given([]), "0 rows"),
    Bad("number", "unknown_source", _given(3), "int", "list", "DataFrame"),
    Bad("generator", "unknown_source", _given(iter(["a"])), "iterator"),
    Bad("matrix", "unknown_source", _given(np.zeros((2, 2))), "ndarray"),
    Bad("lazy_frame", "unknown_source", _given(pl.LazyFrame({"a": [1]})), "LazyFrame", "collect"),
    Bad("frame_index", "unknown_source", _given(pd.Index(["a"])), "Index", "DataFrame"),
    Bad("frame_twice", "duplicate_column",
        _given(pd.DataFrame([["a", "b"]], columns=["x", "x"])), "columns 1 and 2: 'x'"),
]  # fmt: skip


def refusal(source: Any, folder: Path) -> SupertuneError:
    """The error for a source, which came quickly and left no file behind."""
    before = sorted(folder.rglob("*"))
    start = time.perf_counter()
    with pytest.raises(SupertuneError) as caught:
        readers.read(source)
    assert time.perf_counter() - start < 5
    assert sorted(folder.rglob("*")) == before
    return caught.value


@pytest.mark.parametrize("bad", FILES, ids=lambda bad: bad.name)
def test_a_bad_source_is_refused_with_its_place_and_a_way_out(bad: Bad, tmp_path: Path) -> None:
    if callable(bad.content):
        source = bad.content(tmp_path)
    else:
        source = tmp_path / bad.name
        source.write_bytes(bad.content)
    error = refusal(source, tmp_path)
    assert (error.code, error.exit_code) == (bad.code, 2)
    assert error.message
    assert error.received
    assert bad.received in error.received
    assert bad.allowed in (error.allowed or "-")
    assert bad.next in (error.next or "-")
    assert max(map(len, str(error).splitlines())) < 500, "a message is read, not scrolled through"


@pytest.mark.parametrize("bad", [b for b in FILES if b.name.endswith((".csv", ".jsonl"))],
                         ids=lambda bad: bad.name)  # fmt: skip
def test_streaming_refuses_what_reading_refuses(bad: Bad, tmp_path: Path) -> None:
    source = bad.content(tmp_path) if callable(bad.content) else tmp_path / bad.name
    if isinstance(bad.content, bytes):
        source.write_bytes(bad.content)
    if bad.code == "no_rows":
        assert [len(window) for window in readers.stream(source, 100)] == [0]
        return
    with pytest.raises(SupertuneError) as caught:
        list(readers.stream(source, 100))
    assert caught.value.code == bad.code
    assert bad.received in str(caught.value.received)


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of an ordinary user, whom this process is until the end of the test."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        privileged = os.geteuid() == 0
        if privileged:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        yield Path(folder)
        if privileged:
            os.seteuid(0)


@pytest.mark.parametrize(
    "name", ["rows.csv", "rows.parquet", "rows.xlsx", "classes", "in/rows.csv"]
)
def test_what_may_not_be_read_is_said_to_be_so(name: str, unprivileged: Path) -> None:
    path = unprivileged / name
    closed = path
    if name == "classes":
        path.mkdir()
    elif name.startswith("in/"):
        closed = path.parent
        closed.mkdir()
    else:
        path.write_bytes(GOOD)
    closed.chmod(0)
    with pytest.raises(EnvironmentFault) as caught:
        readers.read(path)
    closed.chmod(0o700)
    assert (caught.value.code, caught.value.exit_code) == ("permission_denied", 2)
    assert str(path) in str(caught.value.received)


def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import pty

    leader, follower = pty.openpty()
    with os.fdopen(follower, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(SupertuneError, match="Nothing is piped") as caught:
            readers.read("-")
    os.close(leader)
    assert caught.value.code == "stdin_is_terminal"


@pytest.mark.parametrize(("suffix", "package"), [(".parquet", "pyarrow"), (".xlsx", "openpyxl")])
def test_a_missing_extra_is_named_with_its_command(
    suffix: str, package: str, python: Any, tmp_path: Path
) -> None:
    (tmp_path / f"rows{suffix}").write_bytes(GOOD)
    code = f"""
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] == {package!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from supertune.data import readers
from supertune.errors import EnvironmentFault
try:
    readers.read(sys.argv[1])
except EnvironmentFault as fault:
    print(fault.code, fault.exit_code, fault.next)
"""
    done = python(code, str(tmp_path / f"rows{suffix}"))
    assert done.stdout.strip() == "extra_missing 2 pip install 'supertune[files]'", done.stderr


def test_a_window_has_at_least_one_row() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        readers.stream(["a"], 0)
