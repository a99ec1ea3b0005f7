"""One table as it was understood: its columns, its labels, its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from supertune import registry
from supertune.contracts import Columns, Finding, fields_of, modality_of
from supertune.data import checks, label_checks, labels, leaks, sides, text_rows
from supertune.data.cells import counted
from supertune.data.labels import Answers
from supertune.data.table import Table
from supertune.data.text_rows import TextRows

SAMPLES = 3
SAMPLE_LENGTH = 120


@dataclass(frozen=True, eq=False)
class TextSource:
    """One table as it was understood."""

    table: Table
    columns: Columns
    answers: Answers
    rows: TextRows
    guesses: tuple[str, ...]


def understood(
    table: Table, columns: Columns, guesses: Sequence[str], *, guess: bool
) -> TextSource:
    assert columns.label is not None
    answers = labels.read(table, columns.label, columns.separator, guess=guess)
    settled = replace(columns, separator=answers.separator)
    found = (*table.notes, *guesses, *answers.guesses)
    return TextSource(table, settled, answers, text_rows.read(table, settled, answers), found)


def as_far_as_there(table: Table, settled: Columns) -> Columns:
    def there(name: str | None) -> str | None:
        return name if name in table.values else None

    return replace(
        settled,
        split=there(settled.split),
        group=there(settled.group),
        time=there(settled.time),
        weight=there(settled.weight),
        slices=tuple(name for name in settled.slices if name in table.values),
    )


def about_columns(source: TextSource) -> list[Finding]:
    table, columns, answers = source.table, source.columns, source.answers
    named = {getattr(columns, each.name) for each in fields(columns) if each.name != "template"}
    beside = {name for name in named if isinstance(name, str)} | {*columns.slices}
    found = leaks.columns_that_tell(table, answers.given, beside - {*columns.read}, columns.read)
    found += label_checks.variants(answers, table.rows)
    if columns.time is not None:
        found.append(sides.time_range(table, columns.time))
    return found


def answered(rows: TextRows, source: TextSource) -> tuple[TextRows, list[Finding]]:
    """Rows that have a text; where a row may have several labels, also an answer."""
    kept, findings = checks.empty_texts(rows.inputs, rows.rows, source.table.source)
    rows = rows.take(kept)
    undecided = [i for i, given in enumerate(rows.given) if given is None]
    # With one label a row, unlabelled rows are kept and marked by -1.
    if not source.answers.multi_label or not undecided or len(undecided) == len(rows):
        return rows, findings
    message = (
        f"{counted(len(undecided), 'row')} without labels left out; write [] where none applies."
    )
    numbers = tuple(int(rows.rows[i]) for i in undecided)
    findings.append(Finding("unlabelled", message, numbers, "info"))
    decided = [i for i, given in enumerate(rows.given) if given is not None]
    return rows.take(decided), findings


def samples(rows: TextRows) -> tuple[dict[str, str], ...]:
    """The first row of each of the first labels, then other rows: proof of the columns."""
    first: dict[object, int] = {}
    for i, given in enumerate(rows.given):
        if given is not None:
            first.setdefault(given, i)
    chosen = list(first.values())[:SAMPLES]
    chosen += [i for i in range(min(len(rows), 2 * SAMPLES)) if i not in chosen]
    noun = registry.modality(modality_of(rows.inputs)).noun
    return tuple(
        {
            noun: _cut("\n".join(map(str, fields_of(rows.inputs[i])))),
            "label": ", ".join(rows.given[i] or ()),
        }
        for i in sorted(chosen[:SAMPLES])
    )


def _cut(text: str) -> str:
    whole = " ".join(text[: 4 * SAMPLE_LENGTH].split())
    return whole if len(whole) <= SAMPLE_LENGTH else whole[: SAMPLE_LENGTH - 1] + "…"
