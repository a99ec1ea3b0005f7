"""Large pictures in parts: all of it is covered, and what two parts see is one thing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from supertune.contracts import Picture, View
from supertune.data.boxes import tiles


@pytest.mark.parametrize("size", [(100, 100), (1000, 300), (417, 999), (50, 2000)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_parts_cover_a_picture_and_overlap(size: tuple[int, int], overlap: float) -> None:
    found = tiles.parts(*size, 200, overlap)
    seen = np.zeros(size[::-1], dtype=bool)
    for x0, y0, x1, y1 in found:
        assert 0 <= x0 < x1 <= size[0]
        assert 0 <= y0 < y1 <= size[1]
        assert x1 - x0 == min(200, size[0])
        seen[y0:y1, x0:x1] = True
    assert seen.all()
    starts = sorted({one[0] for one in found})
    assert all(b - a <= 200 * (1 - overlap) + 1 for a, b in itertools.pairwise(starts))


def test_a_small_picture_is_one_part() -> None:
    assert tiles.parts(150, 90, 200, 0.25) == [(0, 0, 150, 90)]
    assert tiles.parts(5000, 90, None, 0.25) == [(0, 0, 5000, 90)]


def test_a_view_and_back_is_where_a_box_was() -> None:
    boxes = np.array([[30.0, 40, 70, 90, 2], [-5.0, 0, 10, 20, 0]])
    for flip, turns in itertools.product((False, True), range(4)):
        view = View(Picture.of(b"x", "x.png"), (20, 10, 120, 210), 416, flip, turns)
        there = view.onto(boxes)
        assert (there[:, 2] > there[:, 0]).all()
        np.testing.assert_allclose(view.back(there), boxes, atol=1e-9)
    mirrored = View(Picture.of(b"x", "x.png"), (0, 0, 100, 100), 100, True)
    assert mirrored.onto(np.array([[10.0, 0, 30, 5, 0]])).tolist() == [[70.0, 0, 90, 5, 0]]


def test_a_part_shows_boxes_that_lie_on_it_to_some_extent() -> None:
    boxes = np.array([[10.0, 10, 30, 30, 0], [-10.0, 0, 10, 20, 1], [-90.0, 0, 10, 20, 2]])
    assert tiles.shown(boxes, 100).tolist() == [[10.0, 10, 30, 30, 0], [0.0, 0, 10, 20, 1]]


def test_what_two_parts_see_is_one_thing() -> None:
    whole = np.array([[10.0, 10, 50, 50, 0.9, 0], [80.0, 80, 95, 95, 0.4, 0]])
    cut = np.array([[30.0, 10, 50, 50, 0.7, 0], [30.0, 10, 50, 50, 0.6, 1]])
    found = tiles.merged([whole, cut], 10)
    assert found[:, 4].tolist() == [0.9, 0.6, 0.4]
    assert tiles.merged([whole, cut], 2)[:, 4].tolist() == [0.9, 0.6]
    assert tiles.merged([np.zeros((0, 6)), np.zeros((0, 6))], 5).shape == (0, 6)
