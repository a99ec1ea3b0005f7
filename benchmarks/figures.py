"""A figure: one number, its spread, and what it should have been."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """``low`` and ``high`` are the extremes, or a 95 % interval where ``spread`` says so."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    spread: str
    target: str = ""
    met: bool | None = None  # None: reported, nothing was promised

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def median(
    name: str,
    values: Sequence[float],
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> Figure:
    """The median of repeats with their extremes, held against a bound if there is one."""
    middle = statistics.median(values)
    target, met = "", None
    if at_most is not None:
        target, met = f"at most {at_most:g} {unit}", middle <= at_most
    if at_least is not None:
        target, met = f"at least {at_least:g} {unit}", middle >= at_least
    spread = f"extremes of {len(values)}"
    return Figure(name, middle, min(values), max(values), unit, spread, target, met)


def mean(name: str, values: Sequence[float], unit: str, *, at_least: float | None = None) -> Figure:
    """The mean over draws with Student's 95 % interval, held against a bound if there is one."""
    middle, half = statistics.fmean(values), _half(values)
    target = "" if at_least is None else f"at least {at_least:g} {unit}"
    met = None if at_least is None else middle >= at_least
    return Figure(name, middle, middle - half, middle + half, unit, _spread(values), target, met)


def _half(values: Sequence[float], comparisons: int = 1, least: float = 0.0) -> float:
    """Half of the mean's interval; of so many comparisons all hold together. A standard deviation
    below ``least`` is taken for that."""
    if len(values) < 2:
        return 0.0
    from scipy.stats import t

    error = max(statistics.stdev(values), least) / len(values) ** 0.5
    return float(t.ppf(1 - 0.025 / comparisons, len(values) - 1)) * error


def _spread(values: Sequence[float]) -> str:
    return f"95 % interval over {len(values)} draws" if len(values) > 1 else "one draw"


def paired(
    name: str,
    differences: Sequence[float],
    *,
    judged: bool,
    comparisons: int = 1,
    least: float = 0.0,
) -> Figure:
    """Mean difference in points with Student's 95 % interval over draws.

    ``judged`` holds it against the margin of shared practice: the mean is at least -0.5 points
    and the lower bound above -2. With ``comparisons`` the interval is Bonferroni's: of so many
    all hold together in 95 % of cases. A standard deviation below ``least`` (of accuracies that
    are counted in rows, one row) is taken for that: few draws may agree by chance.
    """
    points = [100 * value for value in differences]
    mean = statistics.fmean(points)
    half = _half(points, comparisons, 100 * least)
    met = mean >= -0.5 and mean - half > -2 if judged else None
    return Figure(
        name,
        mean,
        mean - half,
        mean + half,
        "points",
        _spread(points),
        "mean at least -0.5, lower bound above -2" if judged else "",
        met,
    )


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """One ratio a repeat: both were measured side by side."""
    return [a / b for a, b in zip(above, below, strict=True)]
