"""What is said as files: a text, subtitles of two kinds, or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict

from supertune.contracts import Segment, Written

LINE = 42  # characters of a line of subtitles
LINES = 2
_BLOCK = LINE * LINES


def txt(said: Written) -> str:
    """The text."""
    return f"{said.text}\n"


def srt(said: Written) -> str:
    """SubRip: numbered pieces with their times."""
    blocks = [
        f"{number}\n{_time(one.start, ',')} --> {_time(one.end, ',')}\n{_wrapped(one.text)}\n"
        for number, one in enumerate(_pieces(said), 1)
    ]
    return "\n".join(blocks)


def vtt(said: Written) -> str:
    """WebVTT."""
    blocks = [
        f"{_time(one.start, '.')} --> {_time(one.end, '.')}\n{_escaped(_wrapped(one.text))}\n"
        for one in _pieces(said)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _json(said: Written) -> str:
    return json.dumps(asdict(said), ensure_ascii=False, indent=1) + "\n"


FORMATS: Mapping[str, Callable[[Written], str]] = {
    "txt": txt,
    "srt": srt,
    "vtt": vtt,
    "json": _json,
}
TIMED = frozenset({"srt", "vtt"})


def _pieces(said: Written) -> Iterator[Segment]:
    """Segments; one too long to be read at once in parts, their times by their characters."""
    for one in said.segments:
        parts = _parts(one.text)
        whole = max(1, sum(map(len, parts)))
        at = one.start
        for part in parts:
            end = at + (one.end - one.start) * len(part) / whole
            yield Segment(at, end, part)
            at = end


def _parts(text: str) -> list[str]:
    parts, held = [], ""
    for word in text.split():
        if held and len(held) + 1 + len(word) > _BLOCK:
            parts.append(held)
            held = word
        else:
            held = f"{held} {word}".strip()
    return [*parts, held] if held else parts


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, LINE, break_long_words=False)) or text


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(seconds: float, mark: str) -> str:
    whole = round(1000 * max(0.0, seconds))
    rest, thousandths = divmod(whole, 1000)
    minutes, left = divmod(rest, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{left:02}{mark}{thousandths:03}"
