"""A fit's report as Python and a notebook show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from supertune.contracts import Examples
from supertune.report import render, text, thumbnails


@dataclass(frozen=True, eq=False)
class Report:
    """What a fit found out; ``data`` is report.json. Shows itself in a notebook.

    ``rows`` are those learned from, of which the page may show small pictures.
    """

    data: dict[str, Any]
    rows: Examples | None = field(default=None, repr=False)

    def html(self) -> str:
        """One self-contained page."""
        return render.html(self.data, thumbnails.of(self.data, self.rows))

    def __str__(self) -> str:
        return text.summary(self.data)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return render.notebook(self.data, thumbnails.of(self.data, self.rows))
