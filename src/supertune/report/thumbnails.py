"""Small pictures beside the rows that a report names."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from supertune import registry
from supertune.contracts import Examples

Thumbnails = Mapping[str, str]


def of(report: Mapping[str, Any], examples: Examples | None) -> dict[str, str]:
    """By the name of a row's input, a ``data:`` address of a small picture of it, for the rows and
    samples of a report; none where a row is told by its words, or no rows are kept."""
    if examples is None:
        return {}
    show = registry.modality(examples.modality).thumbnail
    wanted, found = set(_named(report)), dict[str, str]()
    for value in examples.inputs:
        if (name := str(value)) not in wanted or name in found:
            continue
        if (small := show(value)) is None:
            return {}
        found[name] = f"data:image/png;base64,{base64.b64encode(small).decode('ascii')}"
    return found


def _named(report: Mapping[str, Any]) -> Iterator[str]:
    for row in report.get("rows") or []:
        yield str(row.get("text"))
    for sample in (report.get("data") or {}).get("samples") or []:
        yield from map(str, sample.values())
