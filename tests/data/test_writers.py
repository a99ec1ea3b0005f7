"""What is written reads back equal, appears whole or not at all, and replaces nothing unasked."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.data.conftest import Row

from supertune.data import readers
from supertune.data.row_formats import height
from supertune.data.table import Table
from supertune.data.writers import SUFFIXES, RowWriter, StreamWriter, beside, check_target
from supertune.errors import InputError


def answers(table: Table) -> dict[str, list[Any]]:
    """A prediction, a confidence and two probabilities for each row."""
    shares = [(int(number) % 7 + 1) / 8 for number in table.rows]
    return {
        "prediction": ["yes" if share > 0.5 else "no" for share in shares],
        "confidence": [max(share, 1 - share) for share in shares],
        "p_no": [1 - share for share in shares],
        "p_yes": shares,
    }


def refused(action: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        action()
    assert caught.value.exit_code == 2
    assert caught.value.received
    assert caught.value.allowed
    assert caught.value.next
    return caught.value


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("window", [7, 1000])
def test_rows_and_answers_read_back_equal_and_in_order(
    suffix: str, window: int, forms: Path, news: list[Row], tmp_path: Path
) -> None:
    target = tmp_path / f"answers{suffix}"
    with RowWriter(target) as writer:
        for table in readers.stream(forms / "rows.csv", window):
            writer.write(table, answers(table))
    assert (writer.rows, writer.renamed) == (len(news), {})
    back = readers.read(target)
    assert back.names == ("text", "label", "prediction", "confidence", "p_no", "p_yes")
    assert list(zip(back.values["text"], back.values["label"], strict=True)) == news
    expected = answers(back)
    assert back.values["prediction"] == expected["prediction"]
    # In a text file a number is a text, and means the same number to the last bit.
    assert [float(cell) for cell in back.values["p_yes"]] == expected["p_yes"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_any_text_reads_back_as_it_was(suffix: str, tmp_path: Path) -> None:
    texts = [
        'a "quoted", b',
        "two\nlines",
        "tab\there",
        "  blanks  ",
        "好;|'",
        "\u2028",
        "=1+1",
        "😀",
    ]
    target = tmp_path / f"texts{suffix}"
    with RowWriter(target) as writer:
        writer.write(readers.read(texts), {"n": list(map(str, range(len(texts))))})
    assert readers.read(target).values["text"] == texts


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_cells_stay_empty(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"empty{suffix}"
    with RowWriter(target) as writer:
        writer.write(readers.read([("a", None), (None, "x")]), {})
    assert readers.read(target).values == {"text": ["a", None], "label": [None, "x"]}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_single_empty_column_keeps_its_rows(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"one{suffix}"
    with RowWriter(target) as writer:
        writer.write(readers.read(["a", "", "b"]), {})
    assert readers.read(target).values == {"text": ["a", None, "b"]}


def test_several_labels_are_joined_by_the_separator_or_written_as_a_list(tmp_path: Path) -> None:
    table = readers.read(["a", "b", "c"])
    extra = {"prediction": [("x", "y"), (), ("x;y", "z")]}
    for separator, cells in (
        (";", ["x;y", None, '["x;y", "z"]']),
        (None, ['["x", "y"]', "[]", '["x;y", "z"]']),
    ):
        target = tmp_path / "labels.csv"
        with RowWriter(target, separator=separator, overwrite=True) as writer:
            writer.write(table, extra)
        assert readers.read(target).values["prediction"] == cells
    with RowWriter(tmp_path / "labels.jsonl") as writer:
        writer.write(table, extra)
    read = readers.read(tmp_path / "labels.jsonl").values["prediction"]
    assert read == [["x", "y"], [], ["x;y", "z"]]


def test_an_added_column_that_the_input_has_gets_another_name_in_every_window(
    tmp_path: Path,
) -> None:
    target = tmp_path / "twice.csv"
    records = [{"text": "a", "prediction": "old", "prediction_2": "older"}] * 4
    with RowWriter(target) as writer:
        for table in readers.stream(records, 2):
            writer.write(table, {"prediction": ["new"] * len(table), "confidence": [1.0] * 2})
    assert writer.renamed == {"prediction": "prediction_3"}
    back = readers.read(target).values
    assert back["prediction"] == ["old"] * 4
    assert back["prediction_3"] == ["new"] * 4


def test_a_name_found_free_stays_for_later_windows() -> None:
    renamed: dict[str, str] = {}
    assert list(beside({"p": [1]}, {"p": [2]}, renamed)) == ["p", "p_2"]
    assert list(beside({"a": [1]}, {"p": [2]}, renamed)) == ["a", "p_2"]


def test_numbers_that_json_lacks_become_null(tmp_path: Path) -> None:
    with RowWriter(tmp_path / "n.jsonl") as writer:
        writer.write(readers.read(["a", "b"]), {"score": [float("nan"), float("inf")]})
    lines = (tmp_path / "n.jsonl").read_text().splitlines()
    assert [json.loads(line)["score"] for line in lines] == [None, None]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_error_leaves_nothing_and_what_stood_there_stands(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"rows{suffix}"
    target.write_bytes(b"before")
    table = readers.read(["a", "b"])

    def interrupted() -> None:
        with RowWriter(target, overwrite=True) as writer:
            writer.write(table, {"n": [1, 2]})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_bytes() == b"before"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_appears_only_when_it_is_whole(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"rows{suffix}"
    with RowWriter(target) as writer:
        writer.write(readers.read(["a"]), {})
        assert not target.exists()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"

    def write() -> None:
        with RowWriter(target) as writer:
            writer.write(readers.read(["a"]), {})
            target.write_text("from somebody else")

    assert refused(write).code == "output_exists"
    assert target.read_text() == "from somebody else"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_a_column_that_appears_later_is_refused_where_the_format_cannot_take_it(
    tmp_path: Path,
) -> None:
    records = [{"a": "1"}, {"a": "2", "b": "3"}]
    for suffix in (".csv", ".tsv", ".parquet"):

        def write(target: Path = tmp_path / f"rows{suffix}") -> None:
            with RowWriter(target) as writer:
                for table in readers.stream(records, 1):
                    writer.write(table, {})

        error = refused(write)
        assert (error.code, error.received) == ("columns_changed", "b")
    with RowWriter(tmp_path / "rows.jsonl") as writer:
        for table in readers.stream(records, 1):
            writer.write(table, {})
    assert readers.read(tmp_path / "rows.jsonl").values == {"a": ["1", "2"], "b": [None, "3"]}
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_column_that_changes_its_type_is_refused_in_parquet(tmp_path: Path) -> None:
    def write() -> None:
        with RowWriter(tmp_path / "rows.parquet") as writer:
            for table in readers.stream([{"a": 1}, {"a": "one"}], 1):
                writer.write(table, {})

    assert refused(write).code == "column_type_changed"
    assert list(tmp_path.iterdir()) == []


def test_mixed_types_within_the_first_window_become_text_in_parquet(tmp_path: Path) -> None:
    with RowWriter(tmp_path / "rows.parquet") as writer:
        writer.write(readers.read([{"a": 1}, {"a": "one"}, {"a": None}]), {})
    assert readers.read(tmp_path / "rows.parquet").values == {"a": ["1", "one", None]}


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_computed(
    tmp_path: Path,
) -> None:
    taken = tmp_path / "taken.csv"
    taken.write_text("text\na\n")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "other.csv").hardlink_to(taken)
    cases = [
        (tmp_path / "rows.xlsx", {}, "output_suffix"),
        (tmp_path / "rows", {}, "output_suffix"),
        (tmp_path / "folder.csv", {}, "output_is_folder"),
        (tmp_path / "none" / "rows.csv", {}, "output_folder_missing"),
        (taken, {}, "output_exists"),
        (taken, {"source": str(taken), "overwrite": True}, "output_is_input"),
        (tmp_path / "other.csv", {"source": taken, "overwrite": True}, "output_is_input"),
    ]
    before = sorted(os.listdir(tmp_path))
    for target, options, code in cases:
        assert refused(lambda t=target, o=options: check_target(t, **o)).code == code
        assert refused(lambda t=target, o=options: RowWriter(t, **o)).code == code
    assert sorted(os.listdir(tmp_path)) == before
    assert taken.read_text() == "text\na\n"


def test_parquet_without_pyarrow_names_the_extra(python: Any, tmp_path: Path) -> None:
    code = f"""
import sys, importlib.abc, importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "pyarrow" else real(name, *rest)
from pathlib import Path
from supertune.data.writers import RowWriter
from supertune.errors import InputError
try:
    RowWriter(Path({str(tmp_path / "rows.parquet")!r}))
except InputError as error:
    print(error.code, error.next)
"""
    done = python(code)
    assert done.stdout.strip() == "parquet_needs_pyarrow pip install 'supertune[files]'"


@pytest.mark.parametrize(("suffix", "first"), [(".csv", "text,n"), (".tsv", "text\tn")])
def test_a_stream_gets_each_window_at_once(suffix: str, first: str) -> None:
    stream = io.StringIO()
    writer = StreamWriter(stream, suffix)
    for number, table in enumerate(readers.stream(["a", "b", "c"], 2), 1):
        writer.write(table, {"n": [number] * len(table)})
        assert len(stream.getvalue().splitlines()) == 1 + writer.rows
    assert stream.getvalue().splitlines()[0] == first
    assert not stream.closed


def test_height_is_that_of_any_column() -> None:
    assert height({}) == 0
    assert height({"a": [1, 2], "b": [3, 4]}) == 2
