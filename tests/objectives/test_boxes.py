"""Which boxes are hits, misses and false alarms, and how pictures are drawn with them."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest

from supertune import average_precision, registry
from supertune.contracts import Examples, Judged, Picture
from supertune.objectives import _boxes as boxes

SIZE = (200, 100)
# Of two classes, on two pictures: x0, y0, x1, y1, class.
TRUE = np.array(
    [[[10, 10, 50, 50, 0], [100, 10, 150, 60, 1]], [[20, 20, 60, 60, 0], [-1, -1, -1, -1, -1]]],
    dtype=np.float64,
)
NOTHING = [-1.0] * 6
FOUND = np.array(
    [
        [[10, 10, 50, 52, 0.9, 0], [100, 10, 150, 60, 0.8, 0], [100, 10, 150, 60, 0.2, 1]],
        [[0, 0, 10, 10, 0.7, 1], [20, 20, 60, 60, 0.6, 0], NOTHING],
    ]
)


@pytest.fixture(scope="module")
def rows() -> Examples:
    from PIL import Image

    inputs = []
    for number in range(2):
        stream = io.BytesIO()
        Image.new("RGB", SIZE, (90, 120, 60 * number)).save(stream, "PNG")
        inputs.append(Picture.of(stream.getvalue(), f"{number}.png"))
    return Examples(tuple(inputs), TRUE, ("bird", "fish"), np.arange(1, 3))


def test_each_box_is_told_by_its_own_class_and_score() -> None:
    matched = average_precision.matched(FOUND, TRUE)
    found = boxes.told(matched, FOUND, TRUE, 0.5)
    assert found.hits.tolist() == [[True, False, False], [False, True, False]]
    assert found.alarms.tolist() == [[False, True, False], [True, False, False]]
    assert found.misses.tolist() == [[False, True], [False, False]]
    assert found.counts() == [(1, 1, 1), (1, 0, 1)]
    lower = boxes.told(matched, FOUND, TRUE, 0.1)
    assert lower.counts() == [(2, 0, 1), (1, 0, 1)]


def test_the_threshold_is_where_hits_and_misses_balance_best() -> None:
    matched = average_precision.matched(FOUND, TRUE)
    assert boxes.best_threshold([matched]) == 0.1  # all three true ones are found, with two alarms
    assert boxes.best_threshold([{}]) == boxes.SMALL


def test_boxes_are_matched_once(rows: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    matched = average_precision.matched
    monkeypatch.setattr(average_precision, "matched", lambda *a: calls.append(1) or matched(*a))
    judged = Judged(rows, FOUND.reshape(2, -1), on_test=True)
    registry.objective("detect").breakdown(judged, seed=0, costs=None, shown=False)
    assert calls == [1]


@pytest.mark.parametrize("shown", [True, False])
def test_pictures_are_drawn_unless_no_rows_may_be_shown(rows: Examples, shown: bool) -> None:
    from PIL import Image

    judged = Judged(rows, FOUND.reshape(2, -1), on_test=True)
    told: Any = registry.objective("detect").breakdown(judged, seed=0, costs=None, shown=shown)
    found = told["detection"]
    assert [(one["hits"], one["misses"], one["false_alarms"]) for one in found["classes"]] == [
        (2, 0, 1),
        (1, 0, 1),
    ]
    if not shown:
        assert found["drawn"] == []
        return
    first = found["drawn"][0]
    image = Image.open(io.BytesIO(base64.b64decode(first["picture"])))
    assert image.size == tuple(first["size"]) == SIZE
    kinds = {(box["kind"], box["label"]): box["at"] for box in first["boxes"]}
    assert kinds["hit", "bird"] == [0.05, 0.1, 0.25, 0.52]
    assert set(kinds) == {("hit", "bird"), ("hit", "fish"), ("alarm", "bird")}


def test_what_is_drawn_is_bounded(rows: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxes, "PICTURES", 1)
    monkeypatch.setattr(boxes, "BOXES", 1)
    monkeypatch.setattr(boxes, "SIDE", 50)
    found = boxes.told(average_precision.matched(FOUND, TRUE), FOUND, TRUE, 0.5)
    (one,) = boxes.drawn(rows, FOUND, TRUE, found)
    assert one["size"] == [50, 25]
    assert len(one["boxes"]) == 1
    assert one["boxes"][0]["kind"] == "miss"
    assert one["left_out"] == 2
