"""Drawings over two number axes."""

from __future__ import annotations

import math
import re

import pytest

from supertune.report import plots


@pytest.mark.parametrize("values", [[0.0, 1.0], [-3.0, 8.0], [1e6, 1.2e6], [5.0], [1e-5, 3e-5]])
def test_an_axis_holds_all_values_between_few_round_ticks(values) -> None:
    axis = plots.axis(values)
    assert axis.low <= min(values) <= max(values) <= axis.high
    assert 2 <= len(axis.ticks) <= 8
    assert all(0 <= axis.share(value) <= 1 for value in values)


def test_an_axis_by_powers_of_ten_places_by_them() -> None:
    axis = plots.log_axis([1e-6, 1.0])
    assert axis.share(1e-3) == pytest.approx(0.5)
    assert axis.share(0.0) == 0


def test_every_row_is_a_dot_and_an_equal_one_lies_on_the_line() -> None:
    svg = plots.against({"points": [[1.0, 1.0], [2.0, 4.0]]})
    dots = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert len(dots) == 2
    line = re.search(r'class="r" x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)"', svg)
    x1, y1, x2, y2 = map(float, line.groups())
    x, y = map(float, dots[0])
    assert (y - y1) / (y2 - y1) == pytest.approx((x - x1) / (x2 - x1), abs=0.01)
    assert "1 are predicted too high" in svg


def test_bars_are_as_high_as_their_counts() -> None:
    svg = plots.residual_bars({"edges": [-1, 0, 1, 2], "counts": [1, 4, 2]})
    heights = [float(h) for h in re.findall(r'height="([\d.]+)"', svg)]
    assert heights[1] == pytest.approx(2 * heights[2], rel=0.01)
    assert heights[1] == pytest.approx(4 * heights[0], rel=0.01)


def test_a_curve_goes_down_where_its_number_falls() -> None:
    for values in ([0.5, 0.3, 0.2], [0.5, 1e-3, 1e-9]):
        drawn = {"name": "<loss>", "along": "step", "points": list(enumerate(values))}
        svg = plots.curve(drawn)
        path = re.search(r'points="([^"]+)"', svg)[1].split()
        heights = [float(point.split(",")[1]) for point in path]
        assert heights == sorted(heights)
        assert "<loss>" not in svg


@pytest.mark.parametrize("draw", [plots.against, plots.residual_bars, plots.curve])
@pytest.mark.parametrize(
    "given", [{}, {"points": None}, {"points": [[None, math.nan]], "edges": [1], "counts": []}]
)
def test_without_numbers_nothing_is_drawn(draw, given) -> None:
    assert draw(given) == ""
