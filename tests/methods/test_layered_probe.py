"""A head on several layers, chosen by leave-one-out: what it computes, and what it may not see."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from supertune import registry
from supertune.contracts import Encoding, Examples, HeadSpec, Part, Problem
from supertune.errors import InputError
from supertune.evaluation.splits import repeated_folds
from supertune.methods._grams import GramBatch, Grams, columns, layer_sets
from supertune.methods.layered_probe import _Solved
from supertune.methods.linear_probe import RidgeBatch, one_hot
from supertune.training import fitting

METHOD = registry.method("layered_probe")
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
WIDTH = 6


@dataclass
class Backbone:
    offer: object


@dataclass
class Depth:
    depth: int = 8


class Lens:
    """Rows are numbered texts; layer 5 alone knows the label, the others are noise."""

    encoding = Encoding()
    backbone = Backbone(Depth())
    parts = tuple(
        Part(1 + number // 2, ("cls", "mean")[number % 2], number * WIDTH, (number + 1) * WIDTH)
        for number in range(16)
    )

    def __init__(self, targets, known=5, noise=0.3):
        rng = np.random.default_rng(1)
        self.table = rng.normal(size=(len(targets), 16 * WIDTH))
        centres = rng.normal(size=(3, 2 * WIDTH)) * 3
        start = (known - 1) * 2 * WIDTH
        shape = (len(targets), 2 * WIDTH)
        self.table[:, start : start + 2 * WIDTH] = centres[targets] + noise * rng.normal(size=shape)
        self.table[:, :WIDTH] *= 50  # a layer of long vectors

    def readings(self, inputs, *, prediction=False):
        return self.table[[int(one) for one in inputs]].astype(np.float32)


def problem(count=45, known=5, weights=None, noise=0.3):
    targets = np.arange(count) % 3
    examples = Examples(
        tuple(map(str, range(count))), targets, ("a", "b", "c"), np.arange(count), weights=weights
    )
    return Problem(examples, HeadSpec(3, False, False), Lens(targets, known, noise), seed=0)


def options():
    return METHOD.options()


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6, 12, 16, 24])
def test_sets_are_of_layers_that_there_are_and_each_once(depth):
    sets = layer_sets(depth)
    assert sets[0] == (depth,)
    assert len(set(sets)) == len(sets)
    for layers in sets:
        assert list(layers) == sorted(set(layers))
        assert layers[0] >= 1
        assert layers[-1] == depth


def test_the_set_that_holds_the_layer_that_knows_is_found():
    whole = problem(known=5)
    tuned = METHOD.fit(whole, options())
    assert 5 in tuned.layers
    logits = tuned.logits([str(i) for i in range(45)], whole.lens)
    assert (logits.argmax(1) == np.arange(45) % 3).all()
    weight = np.abs(tuned.head.weight).reshape(len(tuned.layers), -1).sum(axis=1)
    lengths = [np.linalg.norm(whole.lens.table[:, (k - 1) * 12 : k * 12]) for k in tuned.layers]
    assert tuned.layers[int(np.argmax(weight * lengths))] == 5


def test_sets_share_by_their_likelihood_and_one_that_knows_nothing_counts_nothing():
    whole = problem(known=5)
    solved = _Solved(whole, Grams.of(whole, [whole.lens]), np.arange(45)[None], options())
    shares = {source.layers: float(share[0]) for source, share in solved.shares.items()}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares[8,] == shares[7, 8] == 0
    assert all((share > 0) == (5 in layers) for layers, share in shares.items())


def test_a_mean_of_heads_answers_as_the_mean_of_their_answers():
    whole = problem(known=6, noise=2.0)
    everything = np.arange(45)[None]
    grams = Grams.of(whole, [whole.lens])
    solved = _Solved(whole, grams, everything, options())
    wanted = np.zeros((45, 3))
    for source, share in solved.shares.items():
        head = grams.head(source, everything, *solved.found[source])
        x = grams.readings[0][:, columns(grams.parts, source.layers)]
        wanted += share[0] * head.apply(x)
    tuned = METHOD.fit(whole, options())
    assert len(tuned.layers) > 1
    found = tuned.logits(whole.examples.inputs, whole.lens)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_a_sum_of_gram_matrices_is_a_ridge_on_layers_side_by_side():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 20, 30))
    y, weights = one_hot(np.arange(20) % 3, 3)[None], rng.uniform(0.5, 2, (1, 20))
    whole = RidgeBatch(x, y, weights, False)
    centred = x - whole.mean_x
    gram = GramBatch(centred @ centred.swapaxes(1, 2), y, weights, False, False)
    found, bias = gram.solved(PENALTIES)
    wanted, wanted_bias = whole.best(PENALTIES)
    weight = np.swapaxes(centred, 1, 2) @ found
    np.testing.assert_allclose(weight, wanted, atol=1e-9)
    np.testing.assert_allclose(bias - (whole.mean_x @ weight)[:, 0], wanted_bias, atol=1e-9)
    np.testing.assert_allclose(gram.left_out, whole.left_out, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_all_folds_at_once_are_the_folds_one_by_one(weighted):
    weights = np.random.default_rng(3).uniform(0.5, 1.5, 45) if weighted else None
    whole = problem(known=4, weights=weights)
    folds = repeated_folds(whole.examples, folds=4, repeats=2, seed=0)
    together = fitting.out_of_fold(METHOD, whole, options(), folds)
    for repeat, by_repeat in enumerate(folds):
        for train, test in by_repeat:
            part = replace(whole, examples=whole.examples.take(train))
            alone = METHOD.fit(part, options()).logits([str(i) for i in test], whole.lens)
            np.testing.assert_allclose(together[repeat, test], alone, rtol=1e-3, atol=1e-3)


def test_the_answers_of_a_fold_take_no_part_in_what_it_chooses():
    whole = problem(known=4)
    train, test = repeated_folds(whole.examples, folds=3, repeats=1, seed=0)[0][0]
    shuffled = whole.examples.targets.copy()
    shuffled[test] = shuffled[test][::-1]
    other = replace(whole, examples=replace(whole.examples, targets=shuffled))
    one = METHOD.out_of_fold(whole, options(), [(train, test)])
    two = METHOD.out_of_fold(other, options(), [(train, test)])
    np.testing.assert_array_equal(one[0], two[0])


def test_it_comes_back_from_its_state():
    whole = problem()
    tuned = METHOD.fit(whole, options())
    again = METHOD.restore(tuned.state(), whole.head, whole.lens)
    inputs = whole.examples.inputs
    np.testing.assert_array_equal(
        tuned.logits(inputs, whole.lens), again.logits(inputs, whole.lens)
    )


def test_more_rows_than_pairs_can_be_held_of_are_refused():
    targets = np.zeros(4001, dtype=int)
    examples = Examples(("0",) * 4001, targets, ("a",), np.arange(4001))
    with pytest.raises(InputError) as caught:
        METHOD.fit(replace(problem(), examples=examples), options())
    assert caught.value.code == "too_many_rows"
