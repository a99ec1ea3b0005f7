"""Rows written with their answers: ``输入：这部电影太棒了！ 输出：积极``, ``Text: ... Label: ...``.

What stands behind the first marker is the text, what stands behind the last one is the answer, and
a row without an answer is unlabelled. The two become columns that are called like their markers,
colon included (``输入：``), so that a model's columns say how further rows are to be read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from supertune.contracts import Columns
from supertune.data import column_names
from supertune.data.cells import counted, is_empty, shown
from supertune.data.table import Table
from supertune.data.templates import escaped
from supertune.errors import InputError

INPUTS = """
input text texts review sentence comment message document content tweet question utterance query q
entrée texte avis phrase commentaire entrada texto reseña comentario oración mensaje pregunta
avaliação comentário frase mensagem pergunta eingabe satz bewertung kommentar nachricht frage
testo recensione вход текст отзыв 输入 文本 评论 句子 内容 问题 短信 輸入 評論 入力 入力文 입력 문장
"""
OUTPUTS = """
output label labels sentiment category class answer topic intent polarity response target a
sortie étiquette catégorie classe réponse sujet salida etiqueta sentimiento categoría clase
respuesta tema saída rótulo sentimento categoria resposta ausgabe klasse kategorie stimmung thema
antwort etichetta выход метка класс 输出 标签 情感 类别 分类 答案 回答 主题 輸出 標籤 類別
出力 ラベル 출력 라벨
"""
_SIGN = r"[ \u00a0\u202f]?[:：]|\t"


def _word(listed: str) -> str:
    """A marker's word in any case; one of letters with blanks between words stands alone."""
    words = sorted(listed.split(), key=len, reverse=True)
    spaced = "|".join(word for word in words if word[0] < "\u2e80")
    dense = "|".join(word for word in words if word[0] >= "\u2e80")
    return rf"(?:(?<!\w)(?:{spaced})|{dense})"


_HEAD = re.compile(rf"\s*((?P<word>{_word(INPUTS)})(?P<sign>{_SIGN}))\s*", re.IGNORECASE)
# Blanks are taken from where they begin, so that a long run of them is gone through once.
_TAIL = re.compile(rf"(?<!\s)\s*((?P<word>{_word(OUTPUTS)})(?P<sign>{_SIGN}))\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Markers:
    """The two columns, and the template in which the rows are written."""

    text: str
    answer: str
    template: str


def begins(start: str) -> bool:
    """Whether these first lines of a file are such rows, and so one text a line, no table: most
    begin with the same marker, and the first is no header. That it has a marker shows it."""
    lines = start.splitlines(keepends=True)[:200]
    cut = len(lines) > 2 and not lines[-1].endswith("\n")
    lines = [line for line in lines[: len(lines) - cut] if line.strip()]
    if not lines or not (_HEAD.match(lines[0]) or _TAIL.search(lines[0])):
        return False
    # A table with a column called "text" may have a cell "Text": before a tab, case counts.
    words = Counter(
        head[1] if head["sign"] == "\t" else _folded(head[1])
        for line in lines
        if (head := _HEAD.match(line)) is not None
    )
    return bool(words) and 3 * max(words.values()) >= 2 * len(lines)


def recognised(table: Table, columns: Columns) -> tuple[Table, Columns]:
    """Texts and answers apart where all rows are written with the same markers, and nobody said
    where the label is; otherwise both as they came.

    Raises:
        InputError: ``marker_missing`` for a row that differs from most.
    """
    if columns.label is not None or columns.pair or any(map(_is_marker, columns.text)):
        return split(table, columns), columns
    for name in _candidates(table, columns):
        markers = _markers(table, name)
        if markers is not None:
            found = _apart(table, name, markers)
            answered = sum(cell is not None for cell in found.values[markers.answer])
            note = (
                f"rows: column '{name}' is written as '{markers.text} ... {markers.answer} ...' "
                f"({counted(len(table), 'row')}, {answered:,} with an answer)"
            )
            settled = replace(
                columns,
                text=(markers.text,),
                label=markers.answer,
                template=columns.template or markers.template,
            )
            return replace(found, notes=(*table.notes, note)), settled
    return table, columns


def column(table: Table, columns: Columns) -> str | None:
    """The column that is written in the markers which ``columns`` comes from: the only one, or
    the first with a cell that begins so."""
    markers = _of(columns)
    if markers is None or markers.text in table.values:
        return None
    if len(table.names) == 1:
        return table.names[0]
    written = (
        name
        for name, cells in table.values.items()
        if any(isinstance(cell, str) and _head(cell, markers.text) for cell in cells)
    )
    return next(written, None)


def split(table: Table, columns: Columns, name: str | None = None) -> Table:
    """Texts and answers apart, as in the rows that ``columns`` comes from; a row without markers
    is a text as it stands. A table that came otherwise is left as it is.

    Args:
        name: the `column` of an earlier window.
    """
    name, markers = name or column(table, columns), _of(columns)
    if name is None or markers is None:
        return table
    return _apart(table, name, markers)


def bare(text: str, columns: Columns) -> str:
    """One text without the markers in which the rows of ``columns`` are written, and without an
    answer behind them, as `split` reads a cell."""
    markers = _of(columns)
    return text if markers is None else _parts(text, markers)[0] or ""


def _of(columns: Columns) -> Markers | None:
    """The markers that ``columns`` comes from, if its rows were written with such."""
    if len(columns.text) != 1 or columns.label is None or not _is_marker(columns.text[0]):
        return None
    return Markers(columns.text[0], columns.label, "")


def _candidates(table: Table, columns: Columns) -> Sequence[str]:
    """Columns in which texts and answers may be one: no other column is called like a label."""
    if columns.text:
        return [name for name in columns.text if len(columns.text) == 1 and name in table.values]
    called = (column_names.is_exactly(name, column_names.LABEL) for name in table.names)
    return [] if any(called) else table.names


def _markers(table: Table, name: str) -> Markers | None:
    """The markers of a column, if at least two of its rows have an answer behind them."""
    cells = [cell for cell in table.values[name] if not is_empty(cell)]
    heads = [_HEAD.match(cell) if isinstance(cell, str) else None for cell in cells]
    spelt = Counter(head[1] for head in heads if head is not None)
    if not spelt:
        return None
    text = _commonest(spelt)
    tails: list[re.Match[str]] = []
    for cell, head in zip(cells, heads, strict=True):
        if head is not None and _folded(head[1]) == _folded(text):
            tails += _distinct(_TAIL.finditer(cell, head.end(1)))
    by_word = Counter(_folded(tail[1]) for tail in tails)
    if not by_word:
        return None
    chosen = _commonest(by_word)
    tails = [tail for tail in tails if _folded(tail[1]) == chosen]
    if sum(bool(tail.string[tail.end() :].strip()) for tail in tails) < 2:
        return None
    if not _all_begin(table, name, text, len(tails)):
        return None
    answer = _commonest(Counter(tail[1] for tail in tails))
    head_text = _commonest(Counter(head[0].lstrip() for head in heads if head is not None))
    tail_text = _commonest(Counter(tail[0] for tail in tails))
    if {text, answer} & {*table.names}:
        return None
    return Markers(text, answer, f"{escaped(head_text)}{{text}}{escaped(tail_text)}{{answer}}")


def _distinct(tails: Iterable[re.Match[str]]) -> list[re.Match[str]]:
    """The last of each word in a row: an answer is short, and a text may name a marker."""
    return list({_folded(tail[1]): tail for tail in tails}.values())


def _all_begin(table: Table, name: str, marker: str, answered: int) -> bool:
    """Whether every row begins with the marker; a few that do not are a slip of the pen.

    Raises:
        InputError: ``marker_missing``.
    """
    odd = [
        (int(row), cell)
        for row, cell in zip(table.rows, table.values[name], strict=True)
        if not is_empty(cell) and not (isinstance(cell, str) and _head(cell, marker))
    ]
    if not odd:
        return True
    if len(table.names) > 1 or answered <= 2 * len(odd):
        return False
    row, cell = odd[0]
    raise InputError(
        "marker_missing",
        f"A row of {table.source} is not written as the others are.",
        received=f"row {row}: {shown(cell)}",
        allowed=f"rows that begin with '{marker}', as {counted(answered, 'row')} do",
        next=f"Put '{marker}' in front of its text, or take the row out.",
    )


def _apart(table: Table, name: str, markers: Markers) -> Table:
    texts, answers = [], []
    for cell in table.values[name]:
        text, answer = _parts(cell, markers)
        texts.append(text)
        answers.append(answer)
    beside = {each: cells for each, cells in table.values.items() if each != name}
    return replace(table, values={markers.text: texts, markers.answer: answers, **beside})


def _parts(cell: Any, markers: Markers) -> tuple[Any, str | None]:
    """The text and the answer of one row, None where there is none."""
    head = _head(cell, markers.text) if isinstance(cell, str) else None
    if head is None:
        return cell, None
    tails = _distinct(_TAIL.finditer(cell, head.end(1)))
    wanted = [tail for tail in tails if _folded(tail[1]) == _folded(markers.answer)]
    if not wanted:
        return cell[head.end() :].strip() or None, None
    text = cell[head.end() : max(head.end(), wanted[0].start())].strip()
    return text or None, cell[wanted[0].end() :].strip() or None


def _head(cell: str, marker: str) -> re.Match[str] | None:
    head = _HEAD.match(cell)
    return head if head is not None and _folded(head[1]) == _folded(marker) else None


def _is_marker(name: str) -> bool:
    head = _HEAD.fullmatch(name)
    return head is not None and head[1] == name


def _folded(marker: str) -> str:
    """Markers are the same whatever their case, and however wide the colon is."""
    return marker.casefold().replace("：", ":").replace("\u00a0", "").replace(" ", "")


def _commonest(counts: Counter[str]) -> str:
    """The order of rows does not matter: of those as common, the first by name."""
    return min(counts, key=lambda text: (-counts[text], text))
