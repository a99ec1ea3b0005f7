"""From a source of texts with translations to a `Reading`: columns, rows, sides, checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import registry
from supertune.contracts import Columns, Examples, Finding, Input, Reading
from supertune.contracts.translation import TRANSLATION
from supertune.data import checks, column_names, grouping, overlap, readers, sides, text_rows
from supertune.data.cells import counted, is_empty, listed, shown
from supertune.data.columns import by_place, check_named, has_places
from supertune.data.pairs import formats, noticed
from supertune.data.table import Table
from supertune.data.text_rows import TextRows
from supertune.errors import InputError

SOURCES = ("source", "src", "original", "source_text", "input", "text", "sentence", "english")
TARGETS = ("target", "tgt", "translation", "target_text", "trg", "output", "reference", "label")
GROUPS = ("page", "document", "doc", "file")
NESTED = "translation"  # of data sets with a column {"en": ..., "pt": ...}
WINDOW = 256  # rows that are translated between two writes
_SHOWN, _LENGTH = 3, 120


@dataclass(frozen=True)
class Kind:
    """What texts with a text each are.

    Attributes:
        labels: the one name of what is answered.
        sources, targets: what columns of the two are called, the likeliest first.
        roles: what the two are, for messages.
        table: the rows of files that hold nothing else; None of others.
        arranged: rows as they came, with the two columns where something else holds them.
        about: what is to be said of them before anything is learned.
    """

    labels: tuple[str, ...]
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    roles: tuple[str, str]
    table: Callable[[object], Table | None]
    arranged: Callable[[Table], Table]
    about: Callable[[Examples], list[Finding]]
    groups: tuple[str, ...] = GROUPS


@dataclass(frozen=True, eq=False)
class _Held:
    kind: Kind
    table: Table
    rows: TextRows
    said: tuple[str, ...]
    columns: Columns
    guesses: tuple[str, ...]
    findings: tuple[Finding, ...]

    def taken(self, index: Sequence[int] | npt.NDArray[Any]) -> tuple[TextRows, tuple[str, ...]]:
        return self.rows.take(np.asarray(index)), tuple(self.said[i] for i in index)


def learned(source: Any, wanted: Columns, test: Any = None, kind: Kind | None = None) -> Reading:
    """Pairs to learn from, and pairs to judge by where ``test`` or a split gives such. Rows of one
    document stay on one side of a split where there are several.

    Raises:
        InputError: whatever is wrong with files, columns, texts or sides.
    """
    held = _read(source, wanted, kind or TRANSLATIONS)
    chosen, apart, findings = list(range(len(held.rows))), None, [*held.findings]
    if held.columns.split is not None:
        side = np.array(sides.sides(held.table, held.columns.split))
        chosen = np.flatnonzero(side != "test").tolist()
        apart = held.taken(np.flatnonzero(side == "test")) if (side == "test").any() else None
    if test is not None:
        other = _read(test, replace(held.columns, split=None, group=None), held.kind, fitted=True)
        apart, findings = (other.rows, other.said), [*findings, *other.findings]
    rows, said = held.taken(chosen)
    if not len(rows):
        raise InputError(
            "no_training_rows",
            f"All pairs of {held.table.source} are to be judged by.",
            received="test rows alone",
            allowed="pairs to learn from as well",
            next="Mark some as train.",
        )
    judged = None
    if apart is not None:
        option = "--test" if test is not None else "--split"
        judged, more = _apart(held.kind, rows, said, *apart, option)
        findings += more
    train, told = _prepared(held.kind, rows, said)
    return Reading(
        train,
        judged,
        held.columns,
        held.guesses,
        tuple(_sample(one, text) for one, text in zip(rows.inputs[:_SHOWN], said)),
        (*findings, *told),
        held.table.source,
    )


def judged(source: Any, wanted: Columns, kind: Kind | None = None) -> Reading:
    """Pairs that a model is judged by; where there is a split column, its test rows."""
    held = _read(source, replace(wanted, split=None), kind or TRANSLATIONS, fitted=True)
    chosen = list(range(len(held.rows)))
    if wanted.split is not None and wanted.split in held.table.values:
        side = np.array(sides.sides(held.table, wanted.split))
        chosen = np.flatnonzero(side == "test").tolist() or chosen
    rows, said = held.taken(chosen)
    made = text_rows.weighed(checks.grouped(_examples(held.kind, rows, said), rows.named))
    samples = tuple(_sample(one, text) for one, text in zip(rows.inputs[:_SHOWN], said))
    return Reading(
        made, None, held.columns, held.guesses, samples, held.findings, held.table.source
    )


def stream(
    source: Any, wanted: Columns, window: int, kind: Kind | None = None
) -> Iterator[tuple[Table, tuple[Input, ...]]]:
    """Windows of rows and the texts in them, few at a time; an empty cell is an empty text."""
    kind = kind or TRANSLATIONS
    found = kind.table(source)
    name: str | None = None
    for table in readers.stream(source if found is None else found, min(window, WINDOW)):
        table = kind.arranged(table)
        if name is None:
            name = _source(table, wanted, source, kind)
        yield table, tuple(_text(cell, row, name) for cell, row in _cells(table, name))


def recognised(source: Any) -> str | None:
    """Why it is a source of translations, in words; None where that cannot be told."""
    found = formats.table(source)
    return None if found is None else f"{found.source} with {counted(len(found), 'pair')}"


def _cells(table: Table, name: str) -> Iterator[tuple[Any, int]]:
    return zip(table.values[name], map(int, table.rows), strict=True)


def _source(table: Table, wanted: Columns, source: Any, kind: Kind) -> str:
    if wanted.text and wanted.text[0] in table.values:
        return wanted.text[0]
    if len(table.names) == 1 or has_places(source, table):
        return table.names[0]
    there = {name.casefold(): name for name in table.names}
    found = next((there[name] for name in kind.sources if name in there), None)
    if found is not None:
        return found
    raise _no_column(table, kind.roles[0], "text", kind.sources)


def _read(source: Any, wanted: Columns, kind: Kind, *, fitted: bool = False) -> _Held:
    table = kind.table(source) or readers.read(source)
    table = kind.arranged(table)
    if has_places(source, table):
        wanted = by_place(table, replace(wanted, text=(), label=None) if fitted else wanted)
    names = _names(table, wanted, kind, fitted=fitted)
    columns = replace(wanted, text=(names[0],), label=names[1])
    check_named(table, columns)
    sources = [_text(cell, row, names[0]) for cell, row in _cells(table, names[0])]
    targets = [_text(cell, row, names[1]) for cell, row in _cells(table, names[1])]
    there = {name.casefold(): name for name in table.names if name not in names}
    if columns.split is None and "split" in there:
        columns = replace(columns, split=there["split"])
    group = columns.group or next((there[name] for name in kind.groups if name in there), None)
    guesses = [
        *table.notes,
        f"source: column '{names[0]}'",
        f"{kind.labels[0]}: column '{names[1]}'",
    ]
    if group is not None and columns.group is None:
        guesses.append(f"documents: column '{group}'; each stays on one side of every split")
        columns = replace(columns, group=group)
    kept, findings = _complete(table, sources, targets, kind)
    rows = TextRows(
        tuple(sources),
        ((),) * len(table),
        table.rows,
        None if columns.group is None else sides.groups(table, columns.group),
        None if columns.weight is None else sides.weights(table, columns.weight),
        sides.slices(table, columns.slices),
    ).take(kept)
    cells = {key: [values[i] for i in kept] for key, values in table.values.items()}
    whole = replace(table, values=cells, rows=np.asarray(table.rows)[kept])
    said = tuple(targets[i] for i in kept)
    return _Held(kind, whole, rows, said, columns, tuple(guesses), tuple(findings))


def _unnested(table: Table) -> Table:
    """A column of ``{"en": ..., "pt": ...}`` as two."""
    cells = [_languages(cell) for cell in table.values.get(NESTED, ())]
    keys = [key for key in cells[0] if all(key in one for one in cells)][:2] if cells else []
    if len(keys) < 2:
        return table
    others = {name: values for name, values in table.values.items() if name != NESTED}
    return replace(table, values={**others, **{key: [one[key] for one in cells] for key in keys}})


def _languages(cell: Any) -> dict[str, Any]:
    """A cell that is such an object, or is written so."""
    if isinstance(cell, str) and cell.startswith("{"):
        try:
            cell = json.loads(cell)
        except ValueError:
            return {}
    return cell if isinstance(cell, dict) else {}


def _names(table: Table, wanted: Columns, kind: Kind, *, fitted: bool) -> tuple[str, str]:
    """The columns of sources and of translations: as named, or called like such; of two columns
    the first and the second."""
    if len(wanted.text) > 1:
        raise InputError(
            "one_source_wanted",
            f"{kind.roles[0].capitalize()} are one column of texts.",
            received=listed(wanted.text),
            allowed="one column",
            next="Name one with --text.",
        )
    there = {name.casefold(): name for name in table.names}
    named = [wanted.text[0] if wanted.text else None, wanted.label]
    if fitted:
        named = [name if name in table.values else None for name in named]
    found = [name or next((there[one] for one in known if one in there), None)
             for name, known in zip(named, (kind.sources, kind.targets))]  # fmt: skip
    spare = [name for name in table.names if name not in found and _worded(table, name)]
    for place in (0, 1):
        if found[place] is None and len(spare) == found.count(None):
            found[place] = spare.pop(0)
    for name, role, option, known in zip(
        found, kind.roles, ("text", "label"), (kind.sources, kind.targets), strict=True
    ):
        if name is None:
            raise _no_column(table, role, option, known)
    if found[0] == found[1]:
        raise InputError(
            "column_twice",
            f"{kind.roles[0].capitalize()} and {kind.roles[1]} are the same column.",
            received=str(found[0]),
            allowed="two columns",
            next="Name both: --text SOURCE --label TARGET.",
        )
    return str(found[0]), str(found[1])


def _worded(table: Table, name: str) -> bool:
    known = {"split", "id", "weight", *GROUPS}
    cells = [cell for cell in table.values[name][:50] if not is_empty(cell)]
    return name.casefold() not in known and bool(cells) and all(isinstance(c, str) for c in cells)


def _no_column(table: Table, role: str, option: str, known: Sequence[str]) -> InputError:
    return InputError(
        "no_source_column" if option == "text" else "no_target_column",
        f"Which column of {table.source} holds the {role} is unclear.",
        received=f"columns {listed(table.names, 30)}",
        allowed=f"a column called {listed(known[:4])}, or two columns of texts alone",
        next=f"Name the column with --{option} NAME.",
    )


def _text(cell: Any, row: int, column: str) -> str:
    if is_empty(cell):
        return ""
    if not isinstance(cell, str):
        raise InputError(
            "bad_text",
            "A text is none.",
            received=f"row {row}, column '{column}': {type(cell).__name__} {shown(cell)}",
            allowed="texts",
            next="Correct the cell, or name another column with --text or --label.",
        )
    return cell.replace("\0", " ")


def _complete(
    table: Table, sources: Sequence[str], targets: Sequence[str], kind: Kind
) -> tuple[list[int], list[Finding]]:
    kept = [i for i in range(len(table)) if sources[i].strip() and targets[i].strip()]
    if not kept:
        raise InputError(
            "no_pairs",
            f"No row of {table.source} has a text and its {kind.labels[0]}.",
            received=counted(len(table), "row"),
            allowed="rows with both",
            next=f"Fill in {kind.roles[1]}, or name other columns with --text and --label.",
        )
    gone = sorted(set(range(len(table))) - set(kept))
    if not gone:
        return kept, []
    verb = "is" if len(gone) == 1 else "are"
    message = f"{counted(len(gone), 'row')} of {table.source} without a text or a {kind.labels[0]} "
    message += f"{verb} left out."
    return kept, [Finding("empty_side", message, tuple(int(table.rows[i]) for i in gone))]


def _examples(kind: Kind, rows: TextRows, said: Sequence[str]) -> Examples:
    texts = np.array(list(said), dtype=np.str_)
    return Examples(
        rows.inputs, texts, kind.labels, rows.rows, None, rows.weights, dict(rows.slices)
    )


def _prepared(kind: Kind, rows: TextRows, said: Sequence[str]) -> tuple[Examples, list[Finding]]:
    """Without copies; rows of one document and those nearly the same stay together."""
    made = _examples(kind, rows, said)
    kept, findings = checks.duplicates(made, rows.named)
    made = made.take(kept)
    named = None if rows.named is None else [rows.named[i] for i in kept]
    near = registry.modality("text").alike(made.inputs)
    grouped = grouping.kept_together(made, named, near)
    if grouped.groups is not None and len(set(grouped.groups.tolist())) < 2:
        grouped = grouping.kept_together(made, None, near)
    findings += [*checks.alike(made, near), *kind.about(made)]
    return text_rows.weighed(grouped), findings


def _apart(
    kind: Kind,
    train: TextRows,
    said: Sequence[str],
    test: TextRows,
    answers: Sequence[str],
    option: str,
) -> tuple[Examples, list[Finding]]:
    """Test pairs whose sources are not learned from."""
    texts = dict(zip(test.rows.tolist(), answers, strict=True))
    kept, findings = overlap.without_overlap(train, test, option)
    findings += overlap.near_overlap(train.inputs, kept)
    known = {" ".join(column_names.words(text)) for text in said}
    left = [texts[row] for row in kept.rows.tolist()]
    same = [row for row, text in zip(kept.rows.tolist(), left)
            if " ".join(column_names.words(text)) in known]  # fmt: skip
    if same:
        message = (
            f"{counted(len(same), 'test row')} with a {kind.labels[0]} that is learned from, of "
            "another source; the score may be too good by them."
        )
        findings.append(Finding("test_target_known", message, tuple(same), "info"))
    return text_rows.weighed(checks.grouped(_examples(kind, kept, left), kept.named)), findings


def _sample(value: Input, text: str) -> dict[str, str]:
    return {"text": _cut(str(value)), "label": _cut(text)}


def _cut(text: str) -> str:
    whole = " ".join(text.split())
    return whole if len(whole) <= _LENGTH else whole[: _LENGTH - 1] + "…"


TRANSLATIONS = Kind(
    TRANSLATION,
    SOURCES,
    TARGETS,
    ("source texts", "translations"),
    formats.table,
    _unnested,
    noticed.about,
)
