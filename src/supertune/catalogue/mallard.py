"""Pairs of sentences from help pages in two languages: paragraphs, titles and descriptions, aligned
by their places in pages of the Mallard format (Debian gnome-user-docs)."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from supertune.catalogue.archives import members

_ROOM = "usr/share/help/"
_KINDS = ("p", "title", "desc")


@dataclass(frozen=True)
class Pair:
    """A text, its translation, and the page that both are from."""

    source: str
    target: str
    page: str


def pairs(package: Path, language: str) -> list[Pair]:
    """All pairs in the order of their pages, each source once. Pages whose parts differ in number
    are left out, and so is what was not translated.

    Raises:
        InputError: ``archive_unsafe``, ``archive_damaged``.
    """
    places = {f"{_ROOM}{code}/gnome-help/": code for code in ("C", language)}
    held: dict[str, dict[str, bytes]] = {"C": {}, language: {}}
    for name, data in members(package, lambda name: name.endswith(".page")):
        folder, _, page = name.removeprefix("./").rpartition("/")
        if code := places.get(folder + "/"):
            held[code][page.removesuffix(".page")] = data
    found: dict[str, Pair] = {}
    for page in sorted(held["C"].keys() & held[language].keys()):
        own, other = _parts(held["C"][page]), _parts(held[language][page])
        if [kind for kind, _ in own] != [kind for kind, _ in other]:
            continue
        for (_, source), (_, target) in zip(own, other, strict=True):
            if source and target and source != target:
                found.setdefault(source, Pair(source, target, page))
    return list(found.values())


def _parts(data: bytes) -> list[tuple[str, str]]:
    """What kind each part is of, and its text."""
    root = ET.fromstring(data)
    named = ((one.tag.rpartition("}")[2], one) for one in root.iter() if isinstance(one.tag, str))
    return [(kind, " ".join("".join(one.itertext()).split())) for kind, one in named
            if kind in _KINDS]  # fmt: skip


def lines(found: list[Pair]) -> Iterator[str]:
    """One JSON object a line: ``source``, ``target``, ``page``."""
    for one in found:
        row = {"source": one.source, "target": one.target, "page": one.page}
        yield json.dumps(row, ensure_ascii=False) + "\n"
