"""Later ratings foreseen from earlier ones, and said how well."""

from __future__ import annotations

import numpy as np
from tests.data.interactions.conftest import taken, things

from supertune.contracts import LISTED, Columns, Judged
from supertune.data.interactions import reading
from supertune.evaluation import rated
from supertune.objectives.rank import OBJECTIVE


def told(rating):
    rows = [{**row, "rating": str(rating(row))} for row in taken(people=60)]
    read = reading.learned({"interactions": rows, "items": things()}, Columns())
    return rated.section(read.train, read.whole, 0)


def of_both(row):
    return 3 + int(row["user_id"][-1]) % 2 + int(row["item_id"][1:]) % 2


def test_what_people_and_items_are_rated_is_found_and_beats_the_mean_of_either():
    found = told(of_both)["ratings"]
    assert found["rmse"]["low"] <= found["rmse"]["value"] <= found["rmse"]["high"]
    assert found["rmse"]["value"] < 0.35
    assert set(found["baselines"]) == {"item mean", "person mean"}
    assert all(found["rmse"]["value"] < one["value"] for one in found["baselines"].values())
    assert found["slope"] > 0.8
    given = [group["given"] for group in found["groups"]]
    assert given[0] < given[-1]


def test_rows_that_judge_a_model_are_judged_by_what_came_before_in_them():
    rows = [{**row, "rating": str(of_both(row))} for row in taken(people=60)]
    read = reading.learned({"interactions": rows, "items": things()}, Columns())
    held = reading.judged(rows, read.columns, read.train.labels)
    whole = rated.section(held.train, held.whole, 0)
    assert whole["ratings"]["count"] == told(of_both)["ratings"]["count"]
    lists = np.zeros((len(held.train), 2 * LISTED))
    found = OBJECTIVE.breakdown(
        Judged(held.train, lists, True, whole=held.whole), seed=0, costs=None, shown=False
    )
    assert found["ratings"] == whole["ratings"]
    alone = Judged(held.train, lists, True)
    assert "ratings" not in OBJECTIVE.breakdown(alone, seed=0, costs=None, shown=False)


def test_ratings_by_chance_are_not_foreseen():
    drawn = np.random.default_rng(0)
    found = told(lambda row: drawn.integers(1, 6))["ratings"]
    assert abs(found["slope"]) < 0.8
    assert found["rmse"]["value"] > 1.0


def test_where_all_ratings_are_alike_nothing_is_said():
    assert told(lambda row: 4) == {}


def test_without_rows_behind_the_others_nothing_is_said():
    read = reading.learned({"interactions": taken(), "items": things()}, Columns())
    assert rated.section(read.train, None, 0) == {}
    assert rated.section(read.train, read.whole, 0) == {}
