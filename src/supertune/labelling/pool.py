"""The rows of an unlabelled pool, each text once, and which of them may still be proposed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from supertune import registry
from supertune.contracts import Columns, Input, Medium, content_key, modality_of
from supertune.data import columns
from supertune.data.cells import is_empty
from supertune.data.table import Table
from supertune.errors import InputError

MOST = 5000  # rows among which a choice is made; of a larger pool so many are drawn
WINDOW = 4096
_COMPARED = 5000  # characters of a text that are compared to find its doubles


@dataclass(frozen=True, eq=False)
class Pool:
    """Distinct rows, all sequences of length n.

    Attributes:
        inputs: what a model reads of each.
        keys: `content_key` of each input.
        rows: numbers in the source, the first data row being 1.
        cells: what the source has in the columns that are read.
        names: those columns.
        read: how many rows the source has.
        different: how many of them have a text that no other has; more than n where some were
            drawn.
        left_out: rows (nearly) the same as another, or as one that is labelled.
        labelled: rows left out because the source has their label.
        source: how messages call it.
    """

    inputs: tuple[Input, ...]
    keys: tuple[str, ...]
    rows: tuple[int, ...]
    cells: tuple[dict[str, Any], ...]
    names: tuple[str, ...]
    read: int
    different: int
    left_out: int
    labelled: int
    source: str

    def __len__(self) -> int:
        return len(self.inputs)


def read(
    source: Any,
    settled: Columns,
    *,
    task: str,
    known: Sequence[Input] = (),
    kept: Collection[str] = (),
    most: int = MOST,
) -> Pool:
    """At most ``most`` rows that no other is the same as, in an order that a file's own does not
    change.

    Args:
        source: whatever `supertune.data.readers.read` takes.
        settled: columns of the model, or those the person named; the text is guessed without.
        known: inputs that are labelled. Rows that are (nearly) the same are left out.
        kept: keys that stay among the rows although they are answered, so that a choice sees them.

    Raises:
        InputError: what is wrong with the source or its columns; ``nothing_to_label`` where
            no row is left.
    """
    found: dict[str, tuple[Input, int, dict[str, Any]]] = {}
    count = labelled = blank = 0
    names: tuple[str, ...] = ()
    rows = registry.modality(settled.modality)
    where = "the pool"
    for table, inputs in registry.task(task).stream(source, settled, WINDOW):
        names, where = names or _names(table, settled), table.source
        given = _given(table, settled)
        count += len(inputs)
        for i, value in enumerate(inputs):
            if given is not None and not is_empty(given[i]):
                labelled += 1
            elif rows.blank(value):
                blank += 1
            else:
                cells = {name: table.values[name][i] for name in names if name in table.values}
                found.setdefault(content_key(value), (value, int(table.rows[i]), cells))
    keys = sorted(found)
    drawn = [key for key in keys if key in kept]
    drawn = sorted(drawn + [key for key in keys if key not in kept][: max(0, most - len(drawn))])
    single = _single([found[key][0] for key in drawn], known, [key in kept for key in drawn])
    chosen = [drawn[i] for i in single]
    if not chosen:
        raise _nothing(where, count, labelled)
    values = [found[key] for key in chosen]
    same = count - labelled - blank - len(found) + len(drawn) - len(chosen)
    return Pool(
        tuple(value for value, _, _ in values),
        tuple(chosen),
        tuple(row for _, row, _ in values),
        tuple(cells for _, _, cells in values),
        names,
        count,
        len(found),
        same,
        labelled,
        where,
    )


def _names(table: Table, settled: Columns) -> tuple[str, ...]:
    if settled.numbers:
        return settled.numbers
    pictures = (
        name
        for name, cells in table.values.items()
        if any(isinstance(cell, Medium) for cell in cells[:1])
    )
    if (name := next(pictures, None)) is not None:
        return (name,)
    wanted = settled
    if columns.has_places([], table):
        wanted = columns.by_place(table, settled)
    try:
        return columns.text_columns(table, wanted).text
    except InputError:  # the task found a way to read these rows, e.g. out of one line of text
        return table.names


def _given(table: Table, settled: Columns) -> Sequence[Any] | None:
    return None if settled.label is None else table.values.get(settled.label)


def _single(inputs: Sequence[Input], known: Sequence[Input], kept: Sequence[bool]) -> list[int]:
    """The first of rows that are nearly the same; none where one of them is known."""
    out: set[int] = set()
    for together in registry.modality(modality_of(inputs)).alike([*inputs, *known], _COMPARED):
        mine = [i for i in together if i < len(inputs)]
        answered = len(mine) < len(together) or any(kept[i] for i in mine)
        out.update(i for i in (mine if answered else mine[1:]) if not kept[i])
    return [i for i in range(len(inputs)) if i not in out]


def without_label(settled: Columns) -> Columns:
    """The columns that are read, and nothing that only learning needs."""
    return replace(settled, split=None, group=None, time=None, weight=None, slices=())


def _nothing(source: str, count: int, labelled: int) -> InputError:
    return InputError(
        "nothing_to_label",
        f"{source} has no row that is left to label.",
        received=f"{count:,} rows, {labelled:,} with a label of their own",
        allowed="rows with a text that is not among the labelled ones",
        next="Give a file with other rows.",
    )
