"""Rows written with their answers, in any of the usual markers and from any source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from supertune.contracts import Columns
from supertune.data import answered_rows, readers
from supertune.data.table import Table
from supertune.errors import InputError

FILMS = [("太棒了！", "积极"), ("很无聊。", "消极"), ("感人", "积极"), ("太长", "消极")]


def table(**values: list[Any]) -> Table:
    count = len(next(iter(values.values())))
    return Table(values, np.arange(1, count + 1), "rows.txt")


def taken(cells: list[Any], **columns: Any) -> tuple[dict[str, list[Any]], Columns]:
    found, settled = answered_rows.recognised(table(text=cells), Columns(**columns))
    return {name: list(values) for name, values in found.values.items()}, settled


@pytest.mark.parametrize(
    ("form", "text", "answer"),
    [
        ("输入：{} 输出：{}", "输入：", "输出："),
        ("输入：{}输出：{}", "输入：", "输出："),
        ("输入:{}\n输出:{}", "输入:", "输出:"),
        ("Input: {} Output: {}", "Input:", "Output:"),
        ("Input: {}\tOutput: {}", "Input:", "Output:"),
        ("Input\t{}\tOutput\t{}", "Input\t", "Output\t"),
        ("Text: {} Label: {}", "Text:", "Label:"),
        ("REVIEW: {} SENTIMENT: {}", "REVIEW:", "SENTIMENT:"),
        ("Entrée : {} Sortie : {}", "Entrée :", "Sortie :"),
        ("Texte\u00a0: {} Étiquette\u00a0: {}", "Texte\u00a0:", "Étiquette\u00a0:"),
        ("Eingabe: {} Ausgabe: {}", "Eingabe:", "Ausgabe:"),
        ("Entrada: {} Salida: {}", "Entrada:", "Salida:"),
        ("Entrada: {} Saída: {}", "Entrada:", "Saída:"),
        ("Вход: {} Выход: {}", "Вход:", "Выход:"),
        ("入力：{} 出力：{}", "入力：", "出力："),
        ("  Q: {}  A: {}  ", "Q:", "A:"),
    ],
)
def test_texts_and_answers_come_apart(form: str, text: str, answer: str) -> None:
    found, settled = taken([form.format(*row) for row in FILMS])
    assert found == {text: [t for t, _ in FILMS], answer: [a for _, a in FILMS]}
    assert (settled.text, settled.label) == ((text,), answer)


def test_the_rows_form_is_the_template_to_ask_by() -> None:
    assert (
        taken([f"输入：{t} 输出：{a}" for t, a in FILMS])[1].template
        == "输入：{text} 输出：{answer}"
    )
    own = taken([f"Text: {t} Label: {a}" for t, a in FILMS], template="{text} 很{answer}")
    assert own[1].template == "{text} 很{answer}"


def test_rows_without_an_answer_are_unlabelled() -> None:
    cells = [f"输入：{t} 输出：{a}" for t, a in FILMS]
    found, _ = taken(
        [*cells, "输入：还没看 输出：", "输入：明天看", None, "输入：", "输入： 输出：积极"]
    )
    assert found["输入："][4:] == ["还没看", "明天看", None, None, None]
    assert found["输出："][4:] == [None, None, None, None, "积极"]


def test_markers_are_the_same_in_any_case_width_and_spacing() -> None:
    usual = ["Input: d Output: x", "Input: a Output: x"]
    found, settled = taken([*usual, "input：b output：y", "Input: c   OUTPUT: x"])
    assert found == {"Input:": ["d", "a", "b", "c"], "Output:": ["x", "x", "y", "x"]}
    assert settled.template == "Input: {text} Output: {answer}"


def test_a_text_may_name_a_marker_the_last_one_counts() -> None:
    found, _ = taken(
        [
            "Text: its output: none. Label: bad",
            "Text: a label: what for? Label: good",
            "Text: an answer: yes Label: good",
        ]
    )
    assert found["Text:"] == ["its output: none.", "a label: what for?", "an answer: yes"]
    assert found["Label:"] == ["bad", "good", "good"]


def test_the_order_of_rows_changes_nothing() -> None:
    cells = ["Input: a Output: x", "input: b output: y", "INPUT: c OUTPUT: x"]
    assert taken(cells)[1] == taken(cells[::-1])[1]


@pytest.mark.parametrize(
    "cells",
    [
        ["a plain text", "another one"],
        ["Text: no answers", "Text: at all"],
        ["Text: one answer Label: good", "Text: and no other"],
        ["Inputs: a Output: x", "Inputs: b Output: y"],
        ["Text: a Label: x", "plain", "plain too", "and a third"],
        [1, 2, 3],
        [None, None],
        [["Text: a Label: x"], ["Text: b Label: y"]],
    ],
)
def test_other_rows_stay_as_they_are(cells: list[Any]) -> None:
    assert taken(cells) == ({"text": cells}, Columns())


def test_a_label_that_was_named_is_the_label() -> None:
    cells = [f"Text: {t} Label: {a}" for t, a in FILMS]
    given = table(text=cells, label=["a", "b", "a", "b"])
    assert answered_rows.recognised(given, Columns())[0] is given
    assert answered_rows.recognised(given, Columns(label="label"))[0] is given


def test_the_column_is_found_among_others() -> None:
    cells = [f"Text: {t} Label: {a}" for t, a in FILMS]
    found, settled = answered_rows.recognised(table(id=[1, 2, 3, 4], said=cells), Columns())
    assert found.names == ("Text:", "Label:", "id")
    assert settled.text == ("Text:",)
    assert "column 'said'" in found.notes[-1]
    assert "4 rows, 4 with an answer" in found.notes[-1]


def test_a_row_that_lacks_the_marker_of_all_others_is_refused_by_its_number() -> None:
    cells = [f"Text: {t} Label: {a}" for t, a in FILMS]
    with pytest.raises(InputError) as caught:
        taken([*cells[:2], "Txt: 好 Label: 积极", *cells[2:]])
    assert caught.value.code == "marker_missing"
    assert str(caught.value.received).startswith("row 3: 'Txt")
    assert "'Text:'" in str(caught.value.allowed)


SETTLED = Columns(("输入：",), "输出：")


def test_further_rows_are_read_by_the_same_markers() -> None:
    found = answered_rows.split(table(text=["输入：好 输出：", "输入: 差", "好看", None]), SETTLED)
    assert found.values == {"输入：": ["好", "差", "好看", None], "输出：": [None] * 4}


def test_what_begins_with_another_marker_is_a_text() -> None:
    found = answered_rows.split(table(text=["Input: a Output: b"]), SETTLED)
    assert found.values["输入："] == ["Input: a Output: b"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("输入：好 输出：", "好"),
        ("输入: 差 输出：消极", "差"),
        ("好看", "好看"),
        ("Input: a Output: b", "Input: a Output: b"),
        ("输入：输入：好", "输入：好"),
        ("输入： 输出：", ""),
    ],
)
def test_one_text_is_read_as_a_cell_is(given: str, text: str) -> None:
    assert answered_rows.bare(given, SETTLED) == text
    assert answered_rows.split(table(text=[given]), SETTLED).values["输入："] == [text or None]
    assert answered_rows.bare(given, Columns(("text",), "label")) == given


def test_columns_of_that_name_are_taken_as_they_are() -> None:
    given = table(**{"输入：": ["输入：好"], "输出：": ["积极"]})
    assert answered_rows.split(given, SETTLED) is given
    plain = table(text=["输入：好"])
    assert answered_rows.split(plain, Columns(("text",), "label")) is plain


def test_later_windows_need_not_begin_with_a_marker() -> None:
    first = table(id=["1"], said=["输入：好"])
    name = answered_rows.column(first, SETTLED)
    assert name == "said"
    later = answered_rows.split(table(id=["2"], said=["差"]), SETTLED, name)
    assert later.values["输入："] == ["差"]


def test_a_long_run_of_blanks_takes_no_time() -> None:
    import time

    cells = [f"Text: {t}{' ' * 100_000}x Label: {a}" for t, a in FILMS]
    start = time.process_time()
    assert taken(cells)[0]["Label:"] == [a for _, a in FILMS]
    assert time.process_time() - start < 2


@pytest.mark.parametrize("name", ["rows.txt", "rows.csv", "rows.tsv", "rows"])
@pytest.mark.parametrize("form", ["输入：{}, 真的 输出：{}", "Input: {}, yes\tOutput: {}"])
def test_a_file_of_such_lines_has_no_header(tmp_path: Path, name: str, form: str) -> None:
    lines = [form.format(*row) for row in FILMS]
    (tmp_path / name).write_text("\n".join(lines) + "\n", "utf-8")
    found = readers.read(tmp_path / name)
    assert found.values == {"text": lines}
    assert found.rows.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("odd", [0, 2, 4])
def test_a_slip_in_one_line_does_not_make_another_its_header(tmp_path: Path, odd: int) -> None:
    lines = [f"Text: {text} Label: {answer}" for text, answer in FILMS]
    lines.insert(odd, "Txt: 好 Label: 积极")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(InputError) as caught:
        answered_rows.recognised(readers.read(tmp_path / "rows.csv"), Columns())
    assert caught.value.code == "marker_missing"
    assert str(caught.value.received).startswith(f"row {odd + 1}:")


def test_a_column_with_a_header_is_read_below_it(tmp_path: Path) -> None:
    lines = [f"Text: {text} Label: {answer}" for text, answer in FILMS]
    (tmp_path / "rows.csv").write_text("\n".join(["said", *lines]) + "\n", "utf-8")
    found, _ = answered_rows.recognised(readers.read(tmp_path / "rows.csv"), Columns())
    assert found.values["Label:"] == [answer for _, answer in FILMS]


def test_tables_stay_tables(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("text\tlabel\nText\tgood\nText: b\tbad\n", "utf-8")
    assert readers.read(tmp_path / "a.tsv").names == ("text", "label")
    (tmp_path / "b.csv").write_text("said,label\nText: x,good\nText: y,bad\n", "utf-8")
    assert readers.read(tmp_path / "b.csv").names == ("said", "label")
    records = [{"text": f"Text: {t} Label: {a}"} for t, a in FILMS]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, records)), "utf-8")
    assert readers.read(tmp_path / "c.jsonl").names == ("text",)
