"""Small pictures, and short recordings to be played, beside the rows that a report names."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from supertune import registry
from supertune.contracts import Examples


@dataclass(frozen=True)
class Thumbnail:
    """``data:`` addresses of a small picture, and of what is played, if it is."""

    picture: str
    sound: str | None = None


Thumbnails = Mapping[str, Thumbnail]


def of(report: Mapping[str, Any], examples: Examples | None) -> dict[str, Thumbnail]:
    """By the name of a row's input, a small picture of it, for the rows and samples of a report;
    none where a row is told by its words, or no rows are kept."""
    if examples is None:
        return {}
    rows = registry.modality(examples.modality)
    wanted, found = set(_named(report)), dict[str, Thumbnail]()
    for value in examples.inputs:
        if (name := str(value)) not in wanted or name in found:
            continue
        if (small := rows.thumbnail(value)) is None:
            return {}
        heard = rows.played(value)
        sound = None if heard is None else _address("audio/ogg", heard)
        found[name] = Thumbnail(_address("image/png", small), sound)
    return found


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _named(report: Mapping[str, Any]) -> Iterator[str]:
    for row in report.get("rows") or []:
        yield str(row.get("text"))
    for sample in (report.get("data") or {}).get("samples") or []:
        yield from map(str, sample.values())
