"""Every method that ranks items, held to one set of promises, on real vectors of texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.interactions.conftest import SOURCE

from supertune import registry
from supertune.artifact import tensor_bytes
from supertune.artifact.tensors import read_tensors
from supertune.config import Recipe
from supertune.contracts import (
    LISTED,
    Columns,
    Examples,
    HeadSpec,
    History,
    Lens,
    Problem,
    Recommending,
    State,
    StateFile,
    Tuned,
    options_of,
)
from supertune.data.interactions import reading
from supertune.methods._recommending import top
from supertune.pipeline import Workshop
from supertune.ranking import ranking
from supertune.training import fitting
from supertune.training.verify import verified

METHODS = [n for n in registry.names("methods") if "rank" in registry.method(n).objectives]
OF_TEXT = [name for name in METHODS if registry.method(name).needs]
UNSEEN = "t9", "b9"  # nobody took these
QUICK: dict[str, dict[str, Any]] = {
    "implicit_als": {"factors": 4},
    "content_ridge": {"factors": 4},
    "tuned_two_tower": {"factors": 8, "epochs": 1, "least_steps": 60, "learning_rate": 0.02},
    "lora": {"epochs": 1, "rank": 2, "blocks": (5,), "factors": 8, "least_steps": 60},
}


class Case:
    def __init__(self, name: str, lens: Lens | None) -> None:
        read = reading.learned(SOURCE, Columns())
        assert read.test is not None
        self.method, self.rows, self.test = registry.method(name), read.train, read.test
        self.options = options_of(self.method, "rank")(**QUICK.get(name, {}))
        self.lens = lens if self.method.needs else None
        self.head = registry.task("recommendation").head(self.rows)
        self.tuned = cache(self.fit)

    def fit(self, rows: Examples | None = None) -> Tuned:
        problem = Problem(self.rows if rows is None else rows, self.head, self.lens, 0)
        return fitting.fit(self.method, problem, self.options)

    def places(self, inputs: Any) -> Any:
        return self.tuned().logits(inputs, self.lens)[:, :LISTED].astype(int)


@pytest.fixture(scope="module")
def lens(own_activations: Path) -> Lens | None:
    return Workshop(Recipe(task="recommendation", threads=1)).lens("minilm")


@pytest.fixture(scope="module")
def cases(lens: Lens | None) -> Callable[[str], Case]:
    """By the name of a method, each fitted once."""
    return cache(lambda name: Case(name, lens))


@pytest.fixture(scope="module", params=METHODS)
def case(request: Any, cases: Callable[[str], Case]) -> Case:
    return cases(request.param)


def stored(tuned: Tuned) -> dict[str, bytes]:
    state = tuned.state()
    return {
        "tuned": tensor_bytes(dict(state.arrays)),
        **{name: tensor_bytes(dict(one.arrays)) for name, one in state.files.items()},
    }


def test_it_answers_with_lists_of_items_and_their_scores_in_order(case: Case) -> None:
    answers = case.tuned().logits(case.test.inputs, case.lens)
    assert answers.shape == (len(case.test), case.head.width)
    assert np.isfinite(answers).all()
    places, scores = np.split(answers, 2, axis=1)
    for row, values in zip(places, scores, strict=True):
        held = row >= 0
        assert len(set(row[held].tolist())) == held.sum()
        assert (np.diff(values[held]) <= 0).all()


def test_what_a_person_has_is_never_recommended_and_everything_else_is_ranked(case: Case) -> None:
    for one, row in zip(case.test.inputs, case.places(case.test.inputs), strict=True):
        assert isinstance(one, History)
        listed = set(row[row >= 0].tolist())
        assert listed == set(range(len(case.rows.labels))) - set(one.items.tolist())


def test_the_same_rows_give_the_same_bytes(case: Case) -> None:
    assert stored(case.fit()) == stored(case.tuned())


def test_it_survives_being_written_down(case: Case) -> None:
    state = case.tuned().state()
    kept = State(
        read_tensors(tensor_bytes(dict(state.arrays)), "tuned"),
        state.settings,
        files={
            name: StateFile(read_tensors(tensor_bytes(dict(one.arrays)), name))
            for name, one in state.files.items()
        },
    )
    again: Any = fitting.restore(case.method, kept, case.options, case.head, case.lens)
    asked = [replace(one, catalogue=None) for one in case.test.inputs[:5]]
    np.testing.assert_array_equal(
        again.logits(asked, case.lens), case.tuned().logits(case.test.inputs[:5], case.lens)
    )
    assert again.catalogue.titles == case.rows.inputs[0].catalogue.titles  # type: ignore[union-attr]


def test_it_verifies(case: Case) -> None:
    problem = Problem(case.rows, case.head, case.lens, 0)
    assert verified(case.method, problem, case.options, case.tuned()) == ()


def test_a_person_is_answered_alike_alone_and_among_others(case: Case) -> None:
    whole = case.tuned().logits(case.test.inputs, case.lens)
    for row in (0, 7):
        alone = case.tuned().logits(case.test.inputs[row : row + 1], case.lens)[0]
        np.testing.assert_allclose(alone[LISTED:], whole[row][LISTED:], rtol=1e-4, atol=1e-5)


def test_folds_are_learned_from_apart_and_judged_by_what_was_known(case: Case) -> None:
    train, test = np.arange(0, 30), np.arange(30, 40)
    problem = Problem(case.rows, case.head, case.lens, 0)
    found = fitting.out_of_fold(case.method, problem, case.options, [[(train, test)]])[0][test]
    alone = case.fit(case.rows.take(train))
    before = [case.rows.inputs[i].before for i in test]  # type: ignore[union-attr]
    np.testing.assert_array_equal(found, alone.logits(before, case.lens))


def test_of_some_items_alone_these_are_ranked(case: Case) -> None:
    one = replace(case.test.inputs[0], among=np.array([3, 11, 14, 19]))  # type: ignore[type-var]
    whole = case.places(case.test.inputs[:1])[0].tolist()
    asked = [place for place in whole if place in (3, 11, 14, 19)]
    found = case.places([one])[0].tolist()
    assert found == asked + [-1] * (LISTED - len(asked))


def test_a_person_with_no_items_that_are_known_is_answered_too(case: Case) -> None:
    none = case.test.inputs[0].first(0)  # type: ignore[union-attr]
    assert (case.places([none]) >= 0).sum() == len(case.rows.labels)


def test_items_have_vectors_by_which_they_are_alike(case: Case) -> None:
    tuned = case.tuned()
    assert isinstance(tuned, Recommending)
    vectors = tuned.vectors(case.lens)
    assert len(vectors) == len(case.rows.labels)
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("name", [n for n in METHODS if n != "popularity"])
def test_it_beats_what_is_popular_where_people_differ(
    name: str, cases: Callable[[str], Case]
) -> None:
    case, base = cases(name), cases("popularity")
    assert case.test.targets is not None
    own, other = (
        ranking(one.places(case.test.inputs), case.test.targets)["ndcg@10"][0]
        for one in (case, base)
    )
    assert own > other + 0.02


@pytest.mark.parametrize("name", OF_TEXT)
def test_items_that_nobody_took_go_to_those_who_like_their_kind(
    name: str, cases: Callable[[str], Case]
) -> None:
    case = cases(name)
    index = {item: case.rows.labels.index(item) for item in UNSEEN}
    right = 0
    for one, row in zip(case.test.inputs, case.places(case.test.inputs).tolist(), strict=True):
        assert isinstance(one, History)
        kinds = [case.rows.labels[place][0] for place in one.items]
        likes = max("tb", key=kinds.count)
        own, other = (index[f"{kind}9"] for kind in (likes, "bt"["tb".index(likes)]))
        right += row.index(own) < row.index(other)
    assert right > 0.8 * len(case.test)


def test_a_sample_of_items_stands_for_all_of_them_in_the_sum_of_a_softmax() -> None:
    from supertune.methods import _towers

    drawn, size = np.random.default_rng(0), _towers.MOST + 500
    scores = drawn.standard_normal(size)
    came = [np.array([3, 7]), np.array([7, 11])]
    sums = []
    for _ in range(40):
        candidates, stands_for = _towers._candidates(came, size, drawn)
        assert {3, 7, 11} <= set(candidates.tolist())
        assert len(set(candidates.tolist())) == len(candidates) < size
        sums.append(np.exp(scores[candidates] + stands_for).sum())
    assert np.mean(sums) == pytest.approx(np.exp(scores).sum(), rel=0.02)


def test_two_towers_learn_from_a_sample_of_items_too(
    lens: Lens | None, cases: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    from supertune.methods import _towers

    monkeypatch.setattr(_towers, "MOST", 5)
    monkeypatch.setattr(_towers, "DRAWN", 3)
    case, base = Case("tuned_two_tower", lens), cases("popularity")
    assert case.test.targets is not None
    own, other = (
        ranking(one.places(case.test.inputs), case.test.targets)["ndcg@10"][0]
        for one in (case, base)
    )
    assert own > other


@pytest.mark.parametrize("size", [5, 101, 30_000])
@pytest.mark.parametrize("kind", ["distinct", "level", "few"])
def test_lists_are_those_of_a_full_sort_with_the_earlier_of_equal_scores_first(
    size: int, kind: str
) -> None:
    drawn = np.random.default_rng(size)
    scores = drawn.standard_normal((3, size)).astype(np.float32)
    if kind == "level":
        scores = np.round(scores)
    if kind == "few":
        scores[:, drawn.permutation(size)[: max(0, size - 50)]] = -np.inf
    places, best = top(scores.copy(), LISTED)
    for row, found, values in zip(scores, places, best, strict=True):
        order = np.argsort(-row, kind="stable")
        order = order[np.isfinite(row[order])][:LISTED]
        assert found.tolist() == order.tolist() + [-1] * (LISTED - len(order))
        np.testing.assert_array_equal(values[: len(order)], row[order])


def test_heads_are_as_wide_as_lists() -> None:
    assert HeadSpec(7, listed=LISTED).width == 2 * LISTED
