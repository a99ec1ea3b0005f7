"""Metrics of lists against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from supertune.ranking import RANKING, found, per_person, ranking

PLACES = np.array([[4, 2, 9, 1], [7, 8, 5, 0], [3, 1, 2, -1]])
LATER = np.array([[2, 1, 6], [0, -1, -1], [-1, -1, -1]], dtype=np.int32)


def test_what_came_later_is_found_in_each_list_and_padding_never_is():
    assert found(PLACES, LATER).tolist() == [
        [False, True, False, True],
        [False, False, False, True],
        [False, False, False, False],
    ]


def test_each_metric_is_what_its_definition_says():
    each, counted = per_person(PLACES, LATER)
    one = dict(zip(RANKING, each[0], strict=True))
    ideal = sum(1 / math.log2(rank + 1) for rank in (1, 2, 3))
    assert one["ndcg@10"] == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert one["recall@10"] == pytest.approx(2 / 3)
    assert one["hit_rate@10"] == 1
    assert one["map@10"] == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert one["mrr"] == pytest.approx(1 / 2)
    assert counted.tolist() == [True, True, False]


def test_who_did_nothing_later_is_not_counted():
    scores = ranking(PLACES, LATER)
    assert scores["recall@10"].tolist() == pytest.approx([(2 / 3 + 1) / 2])


def test_a_bootstrap_weighs_people():
    weights = np.array([[1.0, 0.0, 5.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    assert ranking(PLACES, LATER, weights)["mrr"].tolist() == pytest.approx([0.5, 0.25, 0.0])


def test_beyond_ten_only_the_reciprocal_rank_looks():
    places = np.arange(20)[None]
    scores = ranking(places, np.array([[14]], dtype=np.int32))
    assert scores["hit_rate@10"].tolist() == [0.0]
    assert scores["mrr"].tolist() == pytest.approx([1 / 15])


def test_the_best_list_has_one_everywhere():
    scores = ranking(np.arange(12)[None], np.arange(12, dtype=np.int32)[None])
    assert scores["ndcg@10"][0] == scores["map@10"][0] == scores["mrr"][0] == 1
    assert scores["recall@10"][0] == pytest.approx(10 / 12)
