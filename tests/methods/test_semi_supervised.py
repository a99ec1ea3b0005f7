"""Unlabelled rows: what the teachers say, when the guard takes the student, and what is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from supertune.contracts import Examples, HeadSpec, Problem
from supertune.evaluation.splits import repeated_folds
from supertune.methods._guard import HeldOut, held_out, judged
from supertune.methods._label_pool import LabelPool, Settings
from supertune.methods.named_probe import METHOD as PLAIN
from supertune.methods.semi_supervised import METHOD

ROWS, CLASSES, KNOWN = 300, 3, 5  # KNOWN labelled rows a class


@dataclass
class Vectors:
    """A lens whose inputs are rows of a table, by number; names of labels say nothing."""

    table: Any
    backbone = SimpleNamespace(offer=SimpleNamespace(capabilities=frozenset(), modality="text"))

    def features(self, inputs, *, prediction=False):
        if all(text.isdigit() for text in inputs):
            return self.table[[int(text) for text in inputs]]
        drawn = np.random.default_rng([ord(text) for text in inputs])
        return drawn.standard_normal((len(inputs), self.table.shape[1])).astype(np.float32)

    def names(self, texts):
        return self.features(texts)


def named(places):
    return tuple(map(str, places))


@pytest.fixture(scope="module")
def clouds():
    """Three clouds in 24 dimensions, hard to tell apart by five rows each."""
    rng = np.random.default_rng(0)
    targets = np.arange(ROWS) % CLASSES
    centres = rng.standard_normal((CLASSES, 24))
    table = centres[targets] + 1.7 * rng.standard_normal((ROWS, 24))
    return Vectors(table.astype(np.float32)), targets


def asked(lens, targets, *, known=KNOWN * CLASSES, free=150, outputs=CLASSES, **more):
    examples = Examples(
        named(range(known)), targets[:known], tuple("abcdef"[:outputs]), np.arange(1, known + 1)
    )
    unlabelled = named(range(known, known + free))
    head = HeadSpec(outputs, targets.ndim == 2)
    return Problem(examples, head, lens, seed=0, unlabelled=unlabelled, **more)


def right(tuned, lens, targets, rows):
    return (tuned.logits(named(rows), lens).argmax(axis=1) == targets[rows]).mean()


def test_rows_without_labels_make_a_better_head_of_the_same_labels(clouds):
    lens, targets = clouds
    problem, rows = asked(lens, targets), np.arange(165, ROWS)
    plain = right(PLAIN.fit(problem, PLAIN.options()), lens, targets, rows)
    tuned = METHOD.fit(problem, METHOD.options())
    told = tuned.notes().unlabelled
    assert told["used"]
    assert told["rows"] == 150
    assert right(tuned, lens, targets, rows) > plain + 0.03
    assert told["gain"]["low"] < told["gain"]["value"] < told["gain"]["high"]
    assert "150 unlabelled rows were used" in tuned.notes().findings[0].message


def test_where_labels_ignore_the_clusters_the_plain_head_is_kept_bit_for_bit(clouds):
    lens, _ = clouds
    centred = lens.table - lens.table.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][-1]
    targets = (along > np.median(along)).astype(np.int64)
    problem = asked(lens, targets, known=60, outputs=2)
    tuned = METHOD.fit(problem, METHOD.options())
    assert not tuned.notes().unlabelled["used"]
    assert tuned.notes().findings[0].code == "unlabelled_left_out"
    plain = PLAIN.fit(problem, PLAIN.options())
    np.testing.assert_array_equal(tuned.head.weight, plain.weight)
    forced = METHOD.fit(problem, METHOD.options(guard=False))
    assert np.abs(forced.head.weight - plain.weight).max() > 0
    assert forced.notes().unlabelled["used"]


def test_a_fold_chooses_by_its_own_rows_alone(clouds):
    lens, targets = clouds
    problem = asked(lens, targets)
    ((fold, *_),) = repeated_folds(problem.examples, folds=5, repeats=1, seed=1)
    train, test = fold
    (answers,) = METHOD.out_of_fold(problem, METHOD.options(), [fold])
    part = replace(problem, examples=problem.examples.take(train))
    alone = METHOD.fit(part, METHOD.options())
    inputs = [problem.examples.inputs[i] for i in test]
    np.testing.assert_allclose(answers, alone.logits(inputs, lens), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("why", ["none", "few", "several"])
def test_without_rows_to_learn_from_it_is_the_plain_head_and_says_why(clouds, why):
    lens, targets = clouds
    if why == "several":
        targets = np.eye(CLASSES)[targets]
    problem = asked(lens, targets, free={"none": 0, "few": 29, "several": 150}[why])
    tuned = METHOD.fit(problem, METHOD.options())
    plain = PLAIN.fit(problem, PLAIN.options())
    np.testing.assert_array_equal(tuned.head.weight, plain.weight)
    (finding,) = tuned.notes().findings
    words = {"none": "--unlabeled", "few": "give 30 or more", "several": "several labels"}
    assert words[why] in finding.message


def test_what_is_kept_is_one_linear_head(clouds):
    lens, targets = clouds
    tuned = METHOD.fit(asked(lens, targets), METHOD.options())
    state = tuned.state()
    assert {name: array.shape for name, array in state.arrays.items()} == {
        "head.weight": (24, 3),
        "head.bias": (3,),
    }
    again = METHOD.restore(state, HeadSpec(CLASSES), lens)
    rows = named(range(20))
    np.testing.assert_array_equal(again.logits(rows, lens), tuned.logits(rows, lens))


def test_a_class_without_labelled_rows_is_taught_to_no_row(clouds):
    lens, targets = clouds
    pool = LabelPool.of(lens.table[100:], Settings())
    known = np.eye(4)[targets[:30]]  # nobody carries the fourth label
    weights = np.stack([np.ones(30), targets[:30] != 1])  # and the second problem sees no second
    heads = [
        PLAIN.fit(
            asked(lens, targets, known=30, outputs=4), PLAIN.options()
        )
    ] * 2  # fmt: skip
    own = pool._spread(pool.directions[:30], (weights[..., None] * known).astype(np.float32))
    mixed = pool._mixture(
        pool.directions[:30],
        (weights[..., None] * known).astype(np.float32),
        np.array([[1, 1, 1, 0], [1, 0, 1, 0]], dtype=bool),
    )
    for chances in (own, mixed):
        np.testing.assert_allclose(chances.sum(axis=2), 1, atol=1e-5)
        assert chances[:, 0, 3].max() == 0
        assert chances[:, 1, [1, 3]].max() == 0
    taught, agreement = pool.taught(lens.table[:30], known, weights, heads)
    assert -1 <= agreement <= 1
    np.testing.assert_allclose(taught.sum(axis=2), 1, atol=1e-5)


def test_the_student_of_labels_that_are_linear_in_the_rows_finds_them(clouds):
    lens, _ = clouds
    pool = LabelPool.of(lens.table, Settings(penalty=1e-9))
    slope = np.random.default_rng(1).standard_normal((24, 2)).astype(np.float32) / 24
    chances = (lens.table @ slope + 0.5)[:, None]
    (head,) = pool.heads(chances)
    np.testing.assert_allclose(head.weight, slope, atol=1e-3)
    np.testing.assert_allclose(head.bias, 0.5, atol=1e-3)


# --- the guard ---------------------------------------------------------------------------------


def test_parts_are_stratified_and_keep_groups_together():
    targets = np.repeat([0, 1], 10)
    asked_rows = held_out(targets, None, seed=0)
    assert asked_rows.parts == 5
    assert (asked_rows.rows[:, targets == 0].sum(axis=1) == 2).all()
    assert len(set(asked_rows.rows.sum(axis=0))) == 1  # each row is held out once a repeat
    groups = np.arange(20) // 2
    together = held_out(targets, groups, seed=0).rows
    assert (together[:, ::2] == together[:, 1::2]).all()


def test_the_only_row_of_a_label_is_never_held_out():
    found = held_out(np.array([0, 0, 0, 1]), None, seed=0).rows
    assert found[:, :3].any(axis=0).all()
    assert not found[:, 3].any()
    assert not len(held_out(np.array([0, 1, 2]), None, seed=0).rows)


@pytest.mark.parametrize(
    ("lost", "won", "taken"), [(0, 0, True), (1, 0, False), (4, 3, True), (5, 1, False)]
)
def test_it_may_lose_as_many_rows_as_luck_allows(lost, won, taken):
    targets = np.eye(2)[np.arange(20) % 2]
    all_rows = HeldOut(np.ones((1, 20), dtype=bool), 5)
    plain, other = targets.copy(), targets.copy()
    other[:lost] = other[:lost, ::-1]
    plain[10 : 10 + won] = plain[10 : 10 + won, ::-1]
    found = judged(plain[None], other[None], targets, np.ones(20), all_rows)
    assert found.better is taken
    assert found.plain == pytest.approx(1 - won / 20)
    assert found.other == pytest.approx(1 - lost / 20)
    assert found.low < found.other - found.plain < found.high


def test_where_two_ways_to_label_disagree_the_plain_head_is_kept():
    targets = np.eye(2)[np.arange(20) % 2]
    all_rows = HeldOut(np.ones((1, 20), dtype=bool), 5)
    found = judged(targets[None], targets[None], targets, np.ones(20), all_rows, 0.59)
    assert not found.better
    assert "agree too little" in found.words
    assert judged(targets[None], targets[None], targets, np.ones(20), all_rows, 0.61).better


def test_agreement_is_that_beyond_chance(clouds):
    lens, targets = clouds
    pool = LabelPool.of(lens.table, Settings())
    true = np.eye(CLASSES, dtype=np.float32)[targets][:, None]
    assert pool._agreement(true, true) == 1
    noise = np.random.default_rng(0).permutation(true)
    assert abs(pool._agreement(true, noise)) < 0.3


def test_two_heads_that_agree_on_few_rows_are_not_known_to_be_equal():
    targets = np.eye(2)[np.arange(8) % 2]
    all_rows = HeldOut(np.ones((1, 8), dtype=bool), 4)
    found = judged(targets[None], targets[None], targets, np.ones(8), all_rows)
    assert found.better
    assert found.high > 0.3
    assert "cannot tell" in found.words


# --- what is said of them -----------------------------------------------------------------------


def test_labels_that_are_shared_out_otherwise_than_the_labelled_rows_are_told(clouds):
    _, targets = clouds
    rng = np.random.default_rng(2)
    centres = 3 * rng.standard_normal((CLASSES, 24))
    lens = Vectors((centres[targets] + rng.standard_normal((ROWS, 24))).astype(np.float32))
    problem = asked(lens, targets)
    even = METHOD.fit(problem, METHOD.options()).notes()
    assert "shares_differ" not in {one.code for one in even.findings}
    mostly = np.flatnonzero((targets == 2) | (np.arange(ROWS) % 10 == 0))
    skewed = replace(problem, unlabelled=named(mostly[mostly >= KNOWN * CLASSES]))
    told = METHOD.fit(skewed, METHOD.options()).notes()
    (warning,) = [one for one in told.findings if one.code == "shares_differ"]
    assert "look like 'c'" in warning.message
    assert told.unlabelled["shares"]["c"] == pytest.approx(0.84, abs=0.1)


def test_it_learns_more_of_news_from_rows_without_labels(draw, lens, problem_of):
    # Not one of the draws that the method was settled on.
    train, test = draw(0, 4, 250)
    free, judging = tuple(test.inputs[:150]), test.take(np.arange(150, 250))
    features = lens.features(judging.inputs)
    plain = PLAIN.fit(problem_of(train, lens), PLAIN.options())
    tuned = METHOD.fit(replace(problem_of(train, lens), unlabelled=free), METHOD.options())
    hits = [
        (head.apply(features).argmax(axis=1) == judging.targets).mean()
        for head in (plain, tuned.head)
    ]
    assert hits[1] > hits[0] + 0.02
