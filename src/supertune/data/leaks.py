"""Answers that can be read off something else than what the text means."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from supertune.contracts import Finding, IntArray
from supertune.data.cells import as_label, counted, is_empty, is_list, shown
from supertune.data.labels import Given
from supertune.data.table import Table

_ROWS = 10  # below this many rows, a column may agree with the label by chance
_REPEATED = 4  # rows a value needs on average
_SHARE = 0.9  # of the rows name their label in the text
_LOOKED_AT = 2000  # characters of a text


def columns_that_tell(
    table: Table, given: Sequence[Given], known: Collection[str], read: Collection[str]
) -> list[Finding]:
    """``label_leak``: columns whose value decides the label in every row.

    Args:
        given: the label of each row of the table.
        known: columns that mean something else and are expected to (the label itself).
        read: columns that are part of the text.
    """
    held = [i for i, labels in enumerate(given) if labels is not None]
    if len(held) < _ROWS or len({given[i] for i in held}) < 2:
        return []
    found = []
    for name, cells in table.values.items():
        if name in known or not _decides(cells, given, held):
            continue
        if name in read:
            what = "and is part of the text: the model may read nothing else"
        else:
            what = "and is not read; never add it to the text"
        message = f"Column '{name}' gives the label away in all {len(held):,} rows, {what}."
        severity = "warning" if name in read else "info"
        rows = tuple(int(table.rows[i]) for i in held)
        found.append(Finding("label_leak", message, rows, severity))  # type: ignore[arg-type]
    return found


def _decides(cells: Sequence[object], given: Sequence[Given], held: Sequence[int]) -> bool:
    told: dict[str, Given] = {}
    for i in held:
        if is_list(cells[i]) or is_empty(cells[i]):
            return False
        value = as_label(cells[i])
        if told.setdefault(value, given[i]) != given[i] or len(told) * _REPEATED > len(held):
            return False
    return len(told) > 1


def labels_in_texts(texts: Sequence[str], given: Sequence[Given], rows: IntArray) -> list[Finding]:
    """``label_leak``: most texts contain the name of their own label, and not of the others."""
    names = sorted({name for labels in given if labels for name in labels})
    held = [i for i, labels in enumerate(given) if labels]
    if len(held) < _ROWS or len(names) < 2:
        return []
    patterns = {name: _as_word(name) for name in names}
    told, missed, allowed = [], 0, int(len(held) * (1 - _SHARE))
    for i in held:
        text = texts[i][:_LOOKED_AT].casefold()
        if all(patterns[name].search(text) for name in given[i] or ()):
            told.append(i)
        elif (missed := missed + 1) > allowed:
            return []
    # Texts that name every label alike (a list of choices, say) give nothing away.
    others = sum(_names_another(texts[i], given[i] or (), patterns) for i in told[:500])
    if 2 * others > len(told[:500]):
        return []
    example = shown(" ".join(given[told[0]] or ()), 40)
    message = (
        f"{counted(len(told), 'text')} of {len(held):,} contain the name of their own label, such "
        f"as {example} in row {rows[told[0]]}. If new texts will not, take it out."
    )
    return [Finding("label_leak", message, tuple(int(rows[i]) for i in told))]


def _names_another(text: str, own: Collection[str], patterns: dict[str, re.Pattern[str]]) -> bool:
    folded = text[:_LOOKED_AT].casefold()
    return any(name not in own and found.search(folded) for name, found in patterns.items())


def _as_word(name: str) -> re.Pattern[str]:
    """The name between non-letters; in scripts without blanks, anywhere."""
    folded = re.escape(name.casefold())
    if not name.isascii():
        return re.compile(folded)
    return re.compile(rf"(?<![^\W_]){folded}(?![^\W_])")
