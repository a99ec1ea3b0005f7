"""Rows as they came, column by column, before any task has looked at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supertune.contracts import IntArray


@dataclass(frozen=True, eq=False)
class Table:
    """All rows of a source, or one window of them.

    Attributes:
        values: equally long columns by name, in the source's order. A cell is what the source
            holds: always a text in csv, any JSON or Arrow value elsewhere; None where empty.
        rows: (n,) row numbers in the source, the first data row being 1.
        source: how messages call it: a file's name, ``"a list of 40 pairs"``.
        notes: what was guessed while reading (encoding, delimiter ...), one sentence each.
    """

    values: Mapping[str, Sequence[Any]]
    rows: IntArray
    source: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.values)
