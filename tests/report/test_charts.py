from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from supertune.report import charts, views
from supertune.report.wording import Numerals


def estimate(value: object, low: object, high: object, metric: str = "accuracy") -> dict[str, Any]:
    return {"metric": metric, "value": value, "low": low, "high": high, "rows": 40}


def position(svg: str, name: str) -> float:
    found = re.search(rf'{name}="([\d.]+)%"', svg)
    assert found
    return float(found[1])


def test_proportions_are_drawn_from_zero_to_one() -> None:
    along = charts.scale([estimate(0.9, 0.85, 0.93), None])
    assert (along.low, along.high) == (0, 1)
    assert along.ticks == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize("high", [0.03, 0.5, 1.7, 43.0, 9_000.0])
def test_a_loss_is_drawn_from_zero_to_a_round_number_that_holds_it(high: float) -> None:
    along = charts.scale([estimate(high / 2, high / 4, high, "log_loss")])
    assert along.low == 0
    assert high <= along.high <= 1.5 * high + along.step
    assert 2 <= len(along.ticks) <= 7


def test_a_difference_below_zero_widens_the_axis_to_the_left() -> None:
    along = charts.scale([estimate(-0.1, -0.3, 0.1)])
    assert along.low <= -0.3
    assert along.high >= 0.1
    assert 0 in along.ticks


def test_the_dot_lies_between_the_ends_of_its_interval() -> None:
    along = charts.scale([])
    svg = charts.whisker(along, estimate(0.9, 0.8, 0.95))
    ends = re.search(r'class="i" x1="([\d.]+)%" x2="([\d.]+)%"', svg)
    assert ends
    assert float(ends[1]) < position(svg, "cx") < float(ends[2])
    assert position(svg, "cx") == pytest.approx(2 + 0.9 * 96)


def test_a_bar_is_as_long_as_its_value() -> None:
    svg = charts.whisker(charts.scale([], margin=0), estimate(0.25, 0.2, 0.3), kind="bar")
    assert position(svg, "width") == 25


@pytest.mark.parametrize(
    "missing", [None, {}, estimate(None, None, None), estimate(math.nan, 0, 1)]
)
def test_an_estimate_without_a_value_draws_no_dot(
    missing: Any, parse: Callable[[str], Any]
) -> None:
    svg = charts.whisker(charts.scale([missing]), missing)
    assert parse(svg).all("circle") == []
    assert "nan" not in svg


def test_values_outside_the_axis_stay_inside_the_drawing() -> None:
    along = charts.Scale(0, 1, 0.25)
    assert along.at(7) == along.at(1) == 98
    assert along.at(-7) == along.at(0) == 2


def test_the_axis_names_its_ticks_in_the_numerals_of_the_report(
    parse: Callable[[str], Any],
) -> None:
    tree = parse(charts.axis(charts.scale([]), Numerals(), "accuracy"))
    assert [tag.text for tag in tree.all("text")] == ["0", ".25", ".50", ".75", "1"]


def bin_of(confidence: object, accuracy: object, rows: int = 10) -> dict[str, Any]:
    return {"low": 0.5, "high": 0.6, "rows": rows, "confidence": confidence, "accuracy": accuracy}


def test_the_reliability_diagram_has_a_dot_a_filled_bin_and_says_what_it_shows(
    parse: Callable[[str], Any],
) -> None:
    bins = [bin_of(0.3, 0.5), bin_of(0.9, 0.8), bin_of(None, None, 0), bin_of(math.nan, 0.2)]
    svg = parse(charts.reliability(bins)).all("svg")[0]
    assert len(svg.all("circle")) == 2
    assert svg.attributes["role"] == "img"
    spoken = svg.attributes["aria-label"] or ""
    assert "2 bins" in spoken
    assert "in 1 of them" in spoken


def test_a_perfectly_calibrated_bin_lies_on_the_dashed_line(parse: Callable[[str], Any]) -> None:
    svg = parse(charts.reliability([bin_of(0.25, 0.25)])).all("svg")[0]
    dot = svg.all("circle")[0].attributes
    line = next(tag for tag in svg.all("line") if tag.attributes["class"] == "r").attributes
    x1, x2, y1, y2 = (float(line[name] or "") for name in ("x1", "x2", "y1", "y2"))
    share = (float(dot["cx"] or "") - x1) / (x2 - x1)
    assert float(dot["cy"] or "") == pytest.approx(y1 + share * (y2 - y1))


def test_no_bins_make_no_diagram() -> None:
    assert charts.reliability([]) == ""
    assert charts.reliability([bin_of(None, None, 0)]) == ""


def test_a_score_of_the_test_file_is_not_shown_again_as_a_cross_validated_one() -> None:
    tested = {"value": 0.5, "low": 0.4, "high": 0.6}
    crossed = {"value": 0.6, "low": 0.4, "high": 0.7}
    both = views.dots({"test": tested, "estimate": crossed, "baselines": {}})
    assert [dot["name"] for dot in both] == ["This model, test file", "This model, cross-validated"]
    alone = views.dots({"test": tested, "estimate": dict(tested), "baselines": {}})
    assert [dot["name"] for dot in alone] == ["This model, test file"]
