"""People and items that are left out of learning judge as new ones."""

from __future__ import annotations

import numpy as np
import pytest
from tests.data.interactions.conftest import SOURCE, taken, things

from supertune.contracts import Columns, History, Reading
from supertune.data.interactions import cold, reading
from supertune.errors import InputError


def histories(side) -> list[History]:
    return [one for one in side.inputs if isinstance(one, History)]


@pytest.fixture(scope="module")
def by_users() -> Reading:
    return reading.learned(SOURCE, Columns(hold_out="users"))


@pytest.fixture(scope="module")
def by_items() -> Reading:
    return reading.learned(SOURCE, Columns(hold_out="items"))


def test_nothing_is_learned_from_the_people_who_judge_and_all_of_everybody_else(by_users):
    judging = {one.person for one in histories(by_users.test)}
    learnt = {one.person: one for one in histories(by_users.train)}
    assert len(judging) == 8
    assert judging.isdisjoint(learnt)
    everybody = {one.person: one for one in histories(by_users.whole)}
    assert judging | set(learnt) == set(everybody)
    assert all(len(one) == len(everybody[name]) for name, one in learnt.items())


def test_they_are_known_by_their_first_five_and_judged_by_all_that_came_later(by_users):
    everybody = {one.person: one for one in histories(by_users.whole)}
    for one, later in zip(histories(by_users.test), by_users.test.targets, strict=True):
        own = everybody[one.person].items
        np.testing.assert_array_equal(one.items, own[:5])
        np.testing.assert_array_equal(later[later >= 0], own[5:])


def test_nobody_who_is_learned_from_took_an_item_that_judges(by_items):
    out = set(histories(by_items.test)[0].among.tolist())
    assert len(out) >= 2
    for one in histories(by_items.train):
        assert out.isdisjoint(one.items.tolist())
    for later in by_items.test.targets:
        assert set(later[later >= 0].tolist()) <= out
    counts = np.bincount(np.concatenate([one.items for one in histories(by_items.whole)]))
    assert all(counts[place] >= cold.ENOUGH for place in out)


def test_who_is_left_out_does_not_depend_on_the_order_of_rows(by_users, by_items):
    turned = {"interactions": taken()[::-1], "items": things()}
    for hold_out, other in (("users", by_users), ("items", by_items)):
        again = reading.learned(turned, Columns(hold_out=hold_out))
        assert again.test.inputs == other.test.inputs
        assert "judged_as_new" in [one.code for one in again.findings]


def test_a_shop_of_few_items_is_told_to_judge_otherwise():
    rows = [row for row in taken(12) if row["item_id"] in ("t1", "t2", "t3", "b1")]
    with pytest.raises(InputError) as caught:
        reading.learned(rows, Columns(hold_out="items"))
    assert caught.value.code == "too_few_items"


def test_a_model_that_exists_is_asked_by_the_first_five_of_everybody(by_users):
    found = reading.judged(taken(), Columns(hold_out="users"), by_users.train.labels)
    assert {len(one) for one in histories(found.train)} == {5}
    assert len(found.train) == 40
