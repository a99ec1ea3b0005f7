"""Inline SVG from plain numbers: no library, no script, the same on screen and on paper.

Horizontal charts place everything in percent of their width instead of in a view box, so that a
phone narrows the plot without shrinking its text. Colours come from the page's style sheet by
class, so light, dark and print need no second drawing. Labels and values are text of the page
beside the drawing; a drawing itself is hidden from screen readers or described by one sentence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from supertune.report.wording import UNBOUNDED, Numerals, finite

_MARGIN = 2.0  # percent of the width kept free on both sides, so that no dot is cut


@dataclass(frozen=True)
class Scale:
    """A linear axis; positions are percent of the drawing's width."""

    low: float
    high: float
    step: float
    margin: float = _MARGIN

    def at(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.margin + share * (100 - 2 * self.margin), 2)

    @property
    def ticks(self) -> list[float]:
        steps = round((self.high - self.low) / self.step)
        return [round(self.low + i * self.step, 10) for i in range(steps + 1)]


def scale(estimates: Iterable[Mapping[str, Any] | None], margin: float = _MARGIN) -> Scale:
    """From 0 to 1 for proportions, else from 0 (or below) to a round number above all."""
    known = [estimate for estimate in estimates if estimate]
    ends = [finite(e.get(key)) for e in known for key in ("value", "low", "high")]
    values = [end for end in ends if end is not None]
    bounded = not any(e.get("metric") in UNBOUNDED for e in known)
    if not values or (bounded and min(values) >= 0 and max(values) <= 1):
        return Scale(0.0, 1.0, 0.25, margin)
    low, high = min(0.0, *values), max(0.0, *values)
    raw = max(high - low, 1e-9) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * (1 - 1e-9))
    return Scale(step * math.floor(low / step), step * max(1, math.ceil(high / step)), step, margin)


def whisker(
    along: Scale,
    estimate: Mapping[str, Any] | None,
    *,
    kind: str = "model",
    reference: object = None,
    track: bool = False,
) -> str:
    """One estimate as a dot with its interval; ``kind`` "baseline" draws it hollow, "bar" adds
    a bar from the axis's start. ``reference`` is marked by a dashed line; ``track`` draws the
    axis as one thin line instead of its ticks."""
    parts = [] if track or kind == "bar" else [_line("g", along.at(tick)) for tick in along.ticks]
    if track:
        parts.append(_span("g", along.at(along.low), along.at(along.high)))
    if (mark := finite(reference)) is not None:
        parts.append(_line("r", along.at(mark)))
    estimate = estimate or {}
    value, low, high = (finite(estimate.get(key)) for key in ("value", "low", "high"))
    if value is not None and kind == "bar":
        start = along.at(max(along.low, 0.0))
        parts.append(f'<rect x="{start}%" y="20%" width="{_gap(start, along.at(value))}%" />')
    if low is not None and high is not None:
        parts.append(_span("i", along.at(low), along.at(high)))
    if value is not None and kind != "bar":
        parts.append(f'<circle cx="{along.at(value)}%" cy="50%" r="4.5" />')
    return f'<svg class="w {escape(kind)}" aria-hidden="true">{"".join(parts)}</svg>'


def _gap(start: float, end: float) -> float:
    return round(max(0.0, end - start), 2)


def _span(name: str, start: float, end: float) -> str:
    return f'<line class="{name}" x1="{start}%" x2="{end}%" y1="50%" y2="50%" />'


def _line(name: str, x: float) -> str:
    return f'<line class="{name}" x1="{x}%" x2="{x}%" y1="0" y2="100%" />'


def axis(along: Scale, numerals: Numerals, metric: str) -> str:
    """The tick labels under a column of whiskers."""
    labels = "".join(
        f'<text x="{along.at(tick)}%" y="12" text-anchor="{_anchor(along, tick)}">'
        f"{_tick(tick, numerals, metric)}</text>"
        for tick in along.ticks
    )
    return f'<svg class="w axis" aria-hidden="true">{labels}</svg>'


def _tick(value: float, numerals: Numerals, metric: str) -> str:
    if value == 0:
        return "0"
    if metric not in UNBOUNDED and value == 1:
        return "1"
    return escape(numerals.value(value, metric))


def _anchor(along: Scale, tick: float) -> str:
    return "start" if tick == along.low else "end" if tick == along.high else "middle"


# --- reliability ----------------------------------------------------------------------------

_SIDE, _LEFT, _TOP, _STRIP = 240, 44, 10, 44


def reliability(bins: Sequence[Mapping[str, Any]]) -> str:
    """Share right against confidence, one dot a bin, over a strip of how many rows each holds.

    Args:
        bins: dicts with ``low``, ``high``, ``rows``, ``confidence``, ``accuracy``; bins without
            rows are left out.
    """
    filled = [b for b in bins if finite(b.get("confidence")) is not None]
    filled = [b for b in filled if finite(b.get("accuracy")) is not None]
    if not filled:
        return ""
    width, height = _LEFT + _SIDE + 12, _TOP + _SIDE + _STRIP + 42
    parts = [_frame(), _dots(filled), _strip(filled), _titles()]
    return (
        f'<svg class="reliability" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(_spoken(filled))}">{"".join(parts)}</svg>'
    )


def _x(value: float) -> float:
    return round(_LEFT + _SIDE * value, 1)


def _y(value: float) -> float:
    return round(_TOP + _SIDE * (1 - value), 1)


def _frame() -> str:
    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        label = {0.0: "0", 1.0: "1"}.get(tick, f"{tick:.2f}"[1:])
        parts.append(
            f'<line class="g" x1="{_x(0)}" x2="{_x(1)}" y1="{_y(tick)}" y2="{_y(tick)}" />'
            f'<line class="g" x1="{_x(tick)}" x2="{_x(tick)}" y1="{_y(0)}" y2="{_y(1)}" />'
            f'<text x="{_LEFT - 6}" y="{_y(tick) + 4}" text-anchor="end">{label}</text>'
            f'<text x="{_x(tick)}" y="{_y(0) + _STRIP + 20}" text-anchor="middle">{label}</text>'
        )
    diagonal = f'<line class="r" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" />'
    return "".join(parts) + diagonal


def _dots(bins: Sequence[Mapping[str, Any]]) -> str:
    most = max(finite(b.get("rows")) or 1 for b in bins)
    points = [(_x(float(b["confidence"])), _y(float(b["accuracy"]))) for b in bins]
    path = " ".join(f"{x},{y}" for x, y in points)
    line = f'<polyline class="p" points="{path}" />' if len(points) > 1 else ""
    shares = [(finite(b.get("rows")) or 0) / most for b in bins]
    circles = "".join(
        f'<circle cx="{x}" cy="{y}" r="{3 + 4 * math.sqrt(share):.1f}" />'
        for (x, y), share in zip(points, shares, strict=True)
    )
    return line + circles


def _strip(bins: Sequence[Mapping[str, Any]]) -> str:
    most = max(finite(b.get("rows")) or 1 for b in bins)
    base = _y(0) + _STRIP + 4
    parts = []
    for b in bins:
        low, high = finite(b.get("low")) or 0.0, finite(b.get("high")) or 1.0
        height = round((_STRIP - 8) * (finite(b.get("rows")) or 0) / most, 1)
        parts.append(
            f'<rect x="{_x(low) + 1:.1f}" y="{base - height:.1f}" '
            f'width="{max(1.0, _SIDE * (high - low) - 2):.1f}" height="{height}" />'
        )
    return "".join(parts)


def _titles() -> str:
    middle = _y(0.5)
    return (
        f'<text x="{_x(0.5)}" y="{_y(0) + _STRIP + 37}" text-anchor="middle">confidence</text>'
        f'<text transform="translate(11 {middle}) rotate(-90)" text-anchor="middle">'
        "share right</text>"
        f'<text transform="translate(11 {_y(0) + 24}) rotate(-90)" text-anchor="middle">rows</text>'
    )


def _spoken(bins: Sequence[Mapping[str, Any]]) -> str:
    gaps = [float(b["accuracy"]) - float(b["confidence"]) for b in bins]
    above = sum(gap > 0 for gap in gaps)
    return (
        f"Reliability diagram with {len(bins)} bins: the model is right more often than its "
        f"confidence says in {above} of them. The table of the bins has the numbers."
    )
