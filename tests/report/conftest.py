"""A report as a fit writes it, one in which every text that a person gave is hostile, and the
page as a tree of tags, to ask what a browser or a screen reader would find."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

MACHINE = "/mnt/someone/models/"
HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=https://evil.example/x.png onerror=alert(1)>",
    "</title></style></script><h1>out</h1>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202eevil \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "\U0001f469\u200d\U0001f52c\U0001f3f3\ufe0f\u200d\U0001f308 \u6587\u672c\u5206\u7c7b",
    "nul \x00 bell \x07 lone \ud83d surrogate",
    "Donaudampfschifffahrtsgesellschaft" * 12,
    "| a | b | [x](javascript:alert(1)) `code` **bold**\n---\n# heading",
]


@pytest.fixture
def sample() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("sample.json").read_text("utf-8"))


@pytest.fixture
def hostile(sample: dict[str, Any]) -> dict[str, Any]:
    texts = HOSTILE
    sample["data"]["source"] = MACHINE + texts[0].replace("/", "") + ".csv"
    sample["data"]["labels"] = [{"name": text, "rows": 8} for text in texts]
    sample["data"]["guesses"] = texts
    sample["data"]["columns"].update(text=texts[:2], label=texts[2])
    sample["data"]["samples"] = [{texts[0]: texts[3], "b": texts[7], "c": texts[4]}]
    first = sample["per_class"][0]
    sample["per_class"] = [first | {"label": text} for text in texts]
    counts = [[50 if i == j else (i + j) % 3 for j in range(len(texts))] for i in range(len(texts))]
    sample["confusion"] = {"labels": texts, "counts": counts}
    part = sample["slices"]["length"][0]
    sample["slices"] = {text: [part | {"value": texts[0]}] for text in texts[:3]}
    sample["rows"] = [
        {
            "row": i,
            "text": text * 9,
            "label": text,
            "predicted": text,
            "confidence": 0.9,
            "why": "wrong",
        }
        for i, text in enumerate(texts)
    ]
    sample["findings"] = [
        {"code": "x", "message": text, "rows": [1], "severity": "warning"} for text in texts
    ]
    sample["verdict"]["text"] = texts[0]
    sample["choice"] = texts[1]
    sample["next"] = [*texts, f"Run: supertune fit '{texts[1]}'"]
    sample["commands"] = dict.fromkeys(sample["commands"], "supertune predict " + texts[0])
    sample["recipe"] |= {"label": texts[1], "options": {texts[0]: texts[1]}}
    sample["candidates"][0] |= {"backbone": MACHINE + texts[7], "why": texts[0]}
    sample["backbone"] = MACHINE + "minilm"
    return sample


VOID = {"meta", "link", "img", "br", "hr", "input", "circle", "line", "rect", "polyline"}


@dataclass
class Tag:
    name: str
    attributes: dict[str, str | None]
    children: list[Tag] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    def all(self, *names: str) -> list[Tag]:
        found = [self] if self.name in names or not names else []
        for child in self.children:
            found += child.all(*names)
        return found

    @property
    def text(self) -> str:
        """Its text and that of all below, in order."""
        return "".join(self.pieces)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Tag("", {})
        self.open = [self.root]
        self.unmatched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Tag(tag, dict(attrs))
        self.open[-1].children.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Tag(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1].name == tag:
            self.open.pop()
        else:
            self.unmatched.append(tag)

    def handle_data(self, data: str) -> None:
        for tag in self.open:
            tag.pieces.append(data)


def _parse(html: str) -> Tag:
    """The tree of a page in which every tag that opens closes, in the right order."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert parser.unmatched == []
    assert [tag.name for tag in parser.open] == [""]
    return parser.root


@pytest.fixture
def parse() -> Callable[[str], Tag]:
    return _parse


@pytest.fixture
def crowded(sample: dict[str, Any]) -> dict[str, Any]:
    """200 labels, and 200 rows to look at."""
    names = [f"category number {index:03d}" for index in range(200)]
    parts, rows = sample["per_class"], sample["rows"]
    sample["per_class"] = [parts[i % 5] | {"label": name} for i, name in enumerate(names)]
    counts = [
        [20 if i == j else int((7 * i + 3 * j) % 97 == 0) for j in range(200)] for i in range(200)
    ]
    sample["confusion"] = {"labels": names, "counts": counts}
    sample["data"]["labels"] = [{"name": name, "rows": 3} for name in names]
    sample["rows"] = [rows[i % 8] | {"row": i + 1, "text": "some words " * 40} for i in range(200)]
    return sample
