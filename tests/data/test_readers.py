"""Every form of the same rows reads as the same table, whole or in windows."""

from __future__ import annotations

import gc
import io
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.data.conftest import WRITE, Row

from supertune.data import readers
from supertune.data.table import Table
from supertune.errors import InputError

SCRIPTS = {
    "chinese": [("味道不错，送货也很快。\n下次还会再来", "好"), ("质量太差了，不值这个价", "坏")],
    "french": [
        ("Très déçu : la batterie ne tient pas, hélas", "négatif"),
        ("Parfait, à l'été !", "positif"),
    ],
    "russian": [
        ("Очень плохой товар, не советую", "плохо"),
        ("Отличный подарок для мамы", "хорошо"),
    ],
    "japanese": [
        ("とても良い商品でした。また買います", "良い"),
        ("すぐに壊れてしまいました", "悪い"),
    ],
}
ENCODINGS = [
    *[(script, form) for script in SCRIPTS for form in ("utf-8", "utf-8-sig", "utf-16", "utf-32")],
    ("chinese", "gb18030"),
    ("french", "latin-1"),
    ("french", "cp1252"),
    ("russian", "cp1251"),
    ("russian", "koi8-r"),
    ("japanese", "shift_jis"),
    ("japanese", "euc_jp"),
]


def pairs(table: Table) -> list[Row]:
    return list(zip(table.values["text"], table.values["label"], strict=True))


def joined(windows: list[Table]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for window in windows for name in window.names)
    return {
        name: [c for w in windows for c in w.values.get(name, [None] * len(w))] for name in names
    }


@pytest.mark.parametrize("name", WRITE)
def test_each_form_reads_as_the_rows_that_were_written(
    name: str, forms: Path, news: list[Row]
) -> None:
    table = readers.read(forms / name)
    assert pairs(table) == news
    assert table.rows.tolist() == list(range(1, len(news) + 1))
    assert table.names[:2] == ("text", "label")


@pytest.mark.parametrize("name", WRITE)
@pytest.mark.parametrize("window", [1, 7, 1000])
def test_streaming_equals_reading(name: str, window: int, forms: Path) -> None:
    whole = readers.read(forms / name)
    windows = list(readers.stream(str(forms / name), window))
    assert all(len(part) <= window for part in windows)
    assert all(part.names == whole.names for part in windows)
    assert joined(windows) == {name: list(cells) for name, cells in whole.values.items()}
    assert np.concatenate([part.rows for part in windows]).tolist() == whole.rows.tolist()


@pytest.mark.parametrize(("script", "encoding"), ENCODINGS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_text_of_any_script_and_encoding_is_read_as_it_was_written(
    script: str, encoding: str, delimiter: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    lines = [delimiter.join(f'"{cell}"' for cell in row) for row in SCRIPTS[script]]
    path.write_bytes("\n".join([delimiter.join(("text", "label")), *lines]).encode(encoding))
    table = readers.read(path)
    assert pairs(table) == SCRIPTS[script]
    guessed = [note for note in table.notes if "guess" in note]
    assert bool(guessed) == (not encoding.startswith("utf"))


def test_a_long_file_is_guessed_from_where_its_first_accent_is(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    plain = [f"a plain row with the number {number},positif" for number in range(40_000)]
    path.write_bytes("\n".join(["text,label", *plain, "Très déçu,négatif"]).encode("latin-1"))
    *_, last = readers.stream(path, 1000)
    assert pairs(last)[-1] == ("Très déçu", "négatif")
    assert last.rows[-1] == 40_001
    assert any("guess" in note for note in last.notes)


def test_chinese_of_another_encoding_is_guessed_over_a_cut_character(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    rows = [(f"{number}质量太差了，完全不值这个价格", "坏") for number in range(20_000)]
    text = "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows)
    path.write_bytes(text.encode("gb18030"))
    assert pairs(readers.read(path)) == rows


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.jsonl", "rows.json", "wide.csv"])
def test_standard_input_is_read_like_a_file(
    name: str, forms: Path, news: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO((forms / name).read_bytes()))
    monkeypatch.setattr(sys, "stdin", stream)
    windows = list(readers.stream("-", 9))
    assert [row for window in windows for row in pairs(window)] == news
    assert [len(window) for window in windows] == [9, 9, 9, 9, 4]


def test_a_pipe_that_delivers_byte_by_byte_gives_the_same_rows(forms: Path) -> None:
    code = "from supertune.data import readers; t = readers.read('-'); print(len(t), *t.names)"
    done = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert done.stdin
    data = (forms / "semicolons.csv").read_bytes()
    for start in range(0, len(data), 5000):
        done.stdin.write(data[start : start + 5000])
        done.stdin.flush()
    assert done.communicate()[0].split() == [b"40", b"text", b"label"]


def test_a_named_pipe_is_read_like_a_file(forms: Path, news: list[Row]) -> None:
    code = "import sys; from supertune.data import readers; print(len(readers.read(sys.argv[1])))"
    command = f'exec {sys.executable} -c "$0" <(cat "$1")'
    done = subprocess.run(
        ["bash", "-c", command, code, str(forms / "rows.jsonl")], capture_output=True, text=True
    )
    assert done.stdout.strip() == str(len(news)), done.stderr


def test_frames_and_lists_read_like_files(news: list[Row]) -> None:
    records = [{"text": text, "label": label} for text, label in news]
    texts, labels = (list(column) for column in zip(*news, strict=True))
    sources: list[Any] = [
        news,
        tuple(news),
        [list(row) for row in news],
        records,
        pd.DataFrame(records, index=range(100, 100 + len(news))),
        pd.DataFrame(records).astype({"label": "category"}),
        pl.DataFrame(records),
        pl.DataFrame(records, schema_overrides={"label": pl.Categorical}),
        readers.read(records),
    ]
    for source in sources:
        assert pairs(readers.read(source)) == news
        windows = list(readers.stream(source, 11))
        assert [len(window) for window in windows] == [11, 11, 11, 7]
        assert [row for window in windows for row in pairs(window)] == news
        assert [number for window in windows for number in window.rows] == [*range(1, 41)]
    for plain in (texts, pd.Series(texts), pl.Series(texts), np.array(texts)):
        assert readers.read(plain).values == {"text": texts}
    assert readers.read([(text, None) for text in texts]).values["label"] == [None] * len(news)
    assert labels != texts


def test_a_datasets_dataset_gives_label_names_for_its_numbers(news: list[Row]) -> None:
    import datasets

    classes = datasets.ClassLabel(names=sorted({label for _, label in news}))
    features = datasets.Features({"text": datasets.Value("string"), "label": classes})
    records = [{"text": text, "label": label} for text, label in news]
    data = datasets.Dataset.from_list(records, features=features)
    assert pairs(readers.read(data)) == news
    assert pairs(readers.read(data.with_format("numpy"))) == news
    with pytest.raises(InputError, match="several data sets") as caught:
        readers.read(datasets.DatasetDict(train=data))
    assert caught.value.code == "dataset_dict"
    assert "train" in str(caught.value.received)


def test_a_library_that_the_person_did_not_import_stays_unloaded(python: Any, forms: Path) -> None:
    code = (
        "import sys; from supertune.data import readers; readers.read(sys.argv[1]); "
        "readers.read([('a', 'b')]); print(*{'pandas', 'polars', 'datasets', 'torch'} & "
        "set(sys.modules))"
    )
    done = python(code, str(forms / "rows.parquet"))
    assert done.stdout.strip() == "", done.stderr


def test_missing_values_of_every_kind_are_none() -> None:
    frame = pd.DataFrame(
        {
            "text": ["a", None, float("nan")],
            "number": [1.5, float("nan"), 2],
            "whole": pd.array([1, pd.NA, 3], dtype="Int64"),
            "time": pd.to_datetime(["2024-05-01", None, None]),
            "mixed": ["", pd.NaT, pd.NA],
        }
    )
    values = readers.read(frame).values
    assert values["text"] == ["a", None, None]
    assert values["number"] == [1.5, None, 2.0]
    assert values["whole"] == [1, None, 3]
    assert values["time"] == [pd.Timestamp("2024-05-01"), None, None]
    assert values["mixed"] == [None, None, None]


def test_lists_stay_lists_and_objects_become_json(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a", "tags": ["x", "y"], "who": {"id": 1}}\n\n{"tags": []}\n')
    assert readers.read(path).values == {
        "text": ["a", None],
        "tags": [["x", "y"], []],
        "who": ['{"id": 1}', None],
    }
    frame = pd.DataFrame({"tags": [np.array(["x", "y"]), ("z",)]})
    assert readers.read(frame).values == {"tags": [["x", "y"], ["z"]]}


def test_a_key_that_appears_late_is_a_column_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"b": 2}\n{"a": 3}\n')
    assert [window.values for window in readers.stream(path, 1)] == [
        {"a": [1]},
        {"a": [None], "b": [2]},
        {"a": [3], "b": [None]},
    ]


def test_a_line_separator_inside_a_json_text_ends_no_line(tmp_path: Path) -> None:
    for name in ("rows.jsonl", "rows.json"):
        text = "one\u2028two\x0bthree\x85four"
        line = json.dumps({"text": text}, ensure_ascii=False)
        (tmp_path / name).write_text(f"{line}\n{line}\n", "utf-8")
        assert readers.read(tmp_path / name).values == {"text": [text, text]}


def test_a_txt_file_is_a_text_a_line_unless_tabs_make_it_a_table(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text('Hello, "you"\r\n\r\n  it\'s; fine|\r\n\r\n\r\n', "utf-8")
    table = readers.read(lines)
    assert table.values == {"text": ['Hello, "you"', None, "  it's; fine|"]}
    assert table.rows.tolist() == [1, 2, 3]
    tabs = tmp_path / "tabs.txt"
    tabs.write_text("text\tlabel\nHello\tpos\nBye\tneg\n")
    assert pairs(readers.read(tabs)) == [("Hello", "pos"), ("Bye", "neg")]


def test_a_workbook_keeps_the_sheets_row_numbers_and_types(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in ((None,), ("text", None, "stars"), ("good", "x", 5), (None,), ("bad", None, 1.5)):
        sheet.append(row)
    book.save(tmp_path / "rows.xlsx")
    table = readers.read(tmp_path / "rows.xlsx")
    assert table.values == {"text": ["good", "bad"], "column 2": ["x", None], "stars": [5, 1.5]}
    assert table.rows.tolist() == [1, 3]
    assert "column 2" in table.notes[0]


def test_a_source_without_rows_streams_one_table_without_rows(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    header = tmp_path / "header.csv"
    header.write_text("text,label\n")
    parquet.write_table(pa.table({"text": [], "label": []}), tmp_path / "header.parquet")
    empty = pd.DataFrame({"text": [], "label": []})
    for source in (header, tmp_path / "header.parquet", empty, pl.from_pandas(empty)):
        (window,) = readers.stream(source, 10)
        assert (len(window), window.names) == (0, ("text", "label"))
    (window,) = readers.stream([], 10)
    assert len(window) == 0


def _long_csv(path: Path, count: int) -> Any:
    with path.open("w") as stream:
        stream.write("text,label\n")
        stream.writelines(f'"a review, the {i:06}th of its kind",good\n' for i in range(count))
    return path


def _long_jsonl(path: Path, count: int) -> Any:
    with path.open("w") as stream:
        stream.writelines(f'{{"text": "the {i:06}th", "label": "good"}}\n' for i in range(count))
    return path


def _long_parquet(path: Path, count: int) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    texts = [f"a review, the {i:06}th of its kind" for i in range(count)]
    table = pa.table({"text": texts, "label": ["good"] * count})
    parquet.write_table(table, path, row_group_size=5000)
    return path


def _long_frame(path: Path, count: int) -> Any:
    return pd.DataFrame({"text": [f"the {i:06}th" for i in range(count)], "label": "good"})


def _long_list(path: Path, count: int) -> Any:
    return [(f"the {i:06}th", "good") for i in range(count)]


def _peak(windows: Iterator[Table]) -> int:
    tracemalloc.start()
    try:
        assert sum(len(window) for window in windows) > 0
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("make", [_long_csv, _long_jsonl, _long_parquet, _long_frame, _long_list])
def test_memory_does_not_grow_with_the_number_of_rows(
    make: Callable[[Path, int], Any], tmp_path: Path
) -> None:
    few, many = make(tmp_path / "few", 20_000), make(tmp_path / "many", 200_000)
    sources = [few, many]
    if isinstance(few, Path):
        suffix = make.__name__.removeprefix("_long_")
        sources = [path.rename(path.with_suffix(f".{suffix}")) for path in (few, many)]
    _peak(readers.stream(sources[0], 2000))  # what is imported and cached once
    small, large = (_peak(readers.stream(source, 2000)) for source in sources)
    assert large < 1.15 * small


@pytest.mark.parametrize("name", WRITE)
def test_a_reader_that_is_left_early_leaves_no_file_open(name: str, forms: Path) -> None:
    """Python warns of a file that nobody closed, and a warning is an error here."""
    windows = readers.stream(forms / name, 3)
    assert len(next(windows)) == 3
    del windows
    gc.collect()


def test_a_hundred_thousand_rows_are_read_in_one_go(tmp_path: Path) -> None:
    import time

    path = _long_csv(tmp_path / "rows.csv", 100_000)
    start = time.perf_counter()
    assert len(readers.read(path)) == 100_000
    # Some twenty times what an idle laptop needs, so that only a change of order fails.
    assert time.perf_counter() - start < 20
