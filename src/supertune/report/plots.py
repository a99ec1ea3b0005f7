"""Drawings over two number axes: predicted against true, residuals, how a loss fell.

Inline SVG like `charts`, with classes of the same style sheet. All text is made of numbers but
for names, which are escaped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from supertune.report.wording import finite, measured

_WIDTH, _HEIGHT, _LEFT, _TOP, _BELOW = 300, 220, 58, 10, 40
_TICKS = 4


@dataclass(frozen=True)
class Axis:
    """From ``low`` to ``high`` with ``ticks`` at round numbers; by powers of ten if ``logs``."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logs: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        if self.logs:
            low, high, at = (math.log10(v) for v in (self.low, self.high, max(value, self.low)))
        else:
            low, high, at = self.low, self.high, value
        return min(1.0, max(0.0, (at - low) / (high - low)))


def axis(values: Sequence[float]) -> Axis:
    """A linear axis with room for all values, its ends on round numbers."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(float(f"{step * i:.12g}") for i in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def log_axis(values: Sequence[float]) -> Axis:
    """An axis by powers of ten for values above zero."""
    low = math.floor(math.log10(min(values)) + 1e-9)
    high = max(low + 1, math.ceil(math.log10(max(values)) - 1e-9))
    every = max(1, math.ceil((high - low) / _TICKS))
    ticks = tuple(10.0**power for power in range(low, high + 1, every))
    return Axis(10.0**low, 10.0**high, ticks, logs=True)


def against(residuals: Mapping[str, Any]) -> str:
    """Predicted against true, a dot a row; the dashed line is where both are equal."""
    points = _pairs(residuals.get("points"))
    if not points:
        return ""
    both = axis([value for point in points for value in point])
    dots = "".join(_dot(both.share(true), both.share(said)) for true, said in points)
    line = f'<line class="r" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" />'
    above = sum(said > true for true, said in points)
    spoken = f"Predicted against true values of {len(points)} rows; {above} are predicted too high."
    return _svg("scatter", spoken, _grid(both, both, "true", "predicted") + line + dots)


def residual_bars(residuals: Mapping[str, Any]) -> str:
    """How many rows are off by how much; the dashed line is no error."""
    edges = [e for value in residuals.get("edges") or [] if (e := finite(value)) is not None]
    counts = [int(finite(value) or 0) for value in residuals.get("counts") or []]
    if len(edges) != len(counts) + 1 or not counts:
        return ""
    across, up = axis(edges), axis([0.0, float(max(counts))])
    bars = "".join(
        _bar(across.share(low), across.share(high), up.share(count))
        for low, high, count in zip(edges, edges[1:], counts, strict=False)
    )
    zero = across.share(0.0)
    line = f'<line class="r" x1="{_x(zero)}" x2="{_x(zero)}" y1="{_y(0)}" y2="{_y(1)}" />'
    spoken = f"Histogram of residuals from {measured(edges[0])} to {measured(edges[-1])}."
    return _svg("bars", spoken, _grid(across, up, "true minus predicted", "rows") + bars + line)


def curve(drawn: Mapping[str, Any]) -> str:
    """How a number changed; by powers of ten where it fell by more than a hundred times."""
    points = _pairs(drawn.get("points"))
    if len(points) < 2:
        return ""
    heights = [value for _, value in points]
    steep = min(heights) > 0 and max(heights) > 100 * min(heights)
    across, up = axis([at for at, _ in points]), (log_axis if steep else axis)(heights)
    path = " ".join(f"{_x(across.share(at))},{_y(up.share(value))}" for at, value in points)
    name, along = str(drawn.get("name") or ""), str(drawn.get("along") or "")
    spoken = f"{name}: from {measured(heights[0])} to {measured(heights[-1])}."
    inside = _grid(across, up, along, "") + f'<polyline class="p" points="{path}" />'
    return _svg("curve", spoken, inside)


def _pairs(given: object) -> list[tuple[float, float]]:
    found = []
    for pair in given if isinstance(given, list | tuple) else []:
        left, right = (finite(value) for value in pair)
        if left is not None and right is not None:
            found.append((left, right))
    return found


def _x(share: float) -> float:
    return round(_LEFT + _WIDTH * share, 1)


def _y(share: float) -> float:
    return round(_TOP + _HEIGHT * (1 - share), 1)


def _dot(across: float, up: float) -> str:
    return f'<circle cx="{_x(across)}" cy="{_y(up)}" r="2.5" />'


def _bar(low: float, high: float, up: float) -> str:
    width = max(0.5, _x(high) - _x(low) - 1)
    return (
        f'<rect x="{_x(low)}" y="{_y(up)}" width="{width:.1f}" '
        f'height="{max(0.0, _y(0) - _y(up)):.1f}" />'
    )


def _grid(across: Axis, up: Axis, below: str, beside: str) -> str:
    parts = []
    for tick in across.ticks:
        x = _x(across.share(tick))
        parts.append(
            f'<line class="g" x1="{x}" x2="{x}" y1="{_y(0)}" y2="{_y(1)}" />'
            f'<text x="{x}" y="{_y(0) + 16}" text-anchor="middle">{_tick(tick)}</text>'
        )
    for tick in up.ticks:
        y = _y(up.share(tick))
        parts.append(
            f'<line class="g" x1="{_x(0)}" x2="{_x(1)}" y1="{y}" y2="{y}" />'
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{_tick(tick)}</text>'
        )
    parts.append(
        f'<text x="{_x(0.5)}" y="{_y(0) + 34}" text-anchor="middle">{escape(below)}</text>'
    )
    if beside:
        turned = f"translate(11 {_y(0.5)}) rotate(-90)"
        parts.append(f'<text transform="{turned}" text-anchor="middle">{escape(beside)}</text>')
    return "".join(parts)


def _tick(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1e6 or abs(value) < 1e-3:
        return f"{value:.3g}"
    return f"{value:,.6g}"


def _svg(kind: str, spoken: str, inside: str) -> str:
    width, height = _LEFT + _WIDTH + 14, _TOP + _HEIGHT + _BELOW
    return (
        f'<svg class="reliability {kind}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(spoken)}">{inside}</svg>'
    )
