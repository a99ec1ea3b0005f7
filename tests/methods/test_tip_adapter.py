"""Tip-Adapter on a tiny random CLIP, against the published formula written out plainly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests import tiny_towers

from supertune.config import Recipe
from supertune.contracts import HeadSpec, Lens, Problem
from supertune.methods.tip_adapter import METHOD, Cache, _Keys
from supertune.pipeline import Workshop


@pytest.fixture(scope="module")
def clip(own_activations, tmp_path_factory) -> Lens:
    folder = tiny_towers.clip(tmp_path_factory.mktemp("towers") / "tiny-random-clip")
    lens = Workshop(Recipe(threads=1)).lens(str(folder))
    assert lens is not None
    return lens


@pytest.fixture(scope="module")
def problem(clip) -> Problem:
    return Problem(tiny_towers.coloured(5), HeadSpec(3), clip, seed=0)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def zero_shot(clip, problem):
    """(scale, (C, d)) of plain transformers."""
    from transformers import AutoModel, AutoTokenizer

    folder = clip.backbone.ref.folder
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    texts = [f"a photo of a {label.replace('_', ' ')}." for label in problem.examples.labels]
    given = tokenizer(texts, padding=True, return_tensors="pt")
    words = model.get_text_features(**given).pooler_output.detach().numpy()
    return model.logit_scale.exp().item(), unit(words)


def plainly(clip, examples, zero_shot, inputs, alpha, beta) -> np.ndarray:
    """Equations 3 to 5 of arXiv:2111.03930, with CLIP's own scale on the names."""
    scale, words = zero_shot
    logits = []
    train = unit(clip.features(examples.inputs))
    for test in unit(clip.features(inputs)):
        known = np.zeros(3)
        for row, label in zip(train, examples.targets, strict=True):
            known[label] += np.exp(-beta * (1 - test @ row))
        logits.append(alpha * known + scale * words @ test)
    return np.array(logits)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 5.5), (3.0, 1.0), (0.0, 5.5)])
def test_the_answer_is_the_published_one(clip, problem, zero_shot, alpha, beta):
    tuned = METHOD.fit(problem, METHOD.options(alphas=(alpha,), betas=(beta,)))
    asked = tiny_towers.coloured(4, seed=1).inputs
    wanted = plainly(clip, problem.examples, zero_shot, asked, alpha, beta)
    np.testing.assert_allclose(tuned.logits(asked, clip), wanted, atol=1e-4)


def test_alpha_and_beta_are_those_that_judge_each_row_by_the_others_best(clip, problem, zero_shot):
    alphas, betas = (0.0, 1.0, 64.0), (0.5, 6.0)
    tuned = METHOD.fit(problem, METHOD.options(alphas=alphas, betas=betas))

    def loss(alpha: float, beta: float) -> float:
        losses = []
        for left, target in enumerate(problem.examples.targets):
            rest = problem.examples.take(np.delete(np.arange(len(problem.examples)), left))
            asked = problem.examples.inputs[left : left + 1]
            logits = plainly(clip, rest, zero_shot, asked, alpha, beta)[0]
            losses.append(np.logaddexp.reduce(logits) - logits[target])
        return float(np.mean(losses))

    losses = {(a, b): loss(a, b) for a in alphas for b in betas}
    assert (tuned.alpha, tuned.beta) == min(losses, key=losses.__getitem__)
    assert max(losses.values()) > min(losses.values()) + 0.01


def test_a_fold_is_answered_as_by_a_model_that_never_saw_it(clip, problem):
    train, test = np.array([0, 1, 2, 5, 6, 10, 11]), np.array([3, 7, 12])
    (found,) = METHOD.out_of_fold(problem, METHOD.options(), [(train, test)])
    alone = METHOD.fit(replace(problem, examples=problem.examples.take(train)), METHOD.options())
    asked = problem.examples.take(test).inputs
    np.testing.assert_allclose(found, alone.logits(asked, clip), atol=1e-4)


def test_the_gradient_by_the_keys_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    keys, targets = unit(rng.normal(size=(6, 4))), np.eye(3)[rng.integers(0, 3, 6)]
    several = (rng.random((6, 3)) < 0.5).astype(float)
    for wanted, multi in ((targets, False), (several, True)):
        weights = np.linspace(1, 2, 6) / 9
        trained = _Keys(keys, wanted, rng.normal(size=(6, 3)), wanted, weights, (2.0, 3.0), multi)
        index = np.array([0, 2, 5])
        _, gradient = trained.gradient(index)
        for place in ((0, 1), (2, 0), (3, 3)):
            moved, losses = trained.keys.copy(), []
            for step in (1e-6, -2e-6):
                moved[place] += step
                trained.keys = moved
                losses.append(trained.gradient(index)[0])
            trained.keys = keys
            slope = (losses[0] - losses[1]) / 2e-6
            assert gradient[place] == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_fine_tuning_moves_the_keys_and_lowers_the_loss(problem):
    noisy = replace(problem, examples=tiny_towers.coloured(5))
    noisy.examples.targets[:] = np.roll(noisy.examples.targets, 1)  # a few labels are wrong
    sharp = {"alphas": (2.0,), "betas": (5.5,)}
    start = METHOD.fit(noisy, METHOD.options(**sharp))
    tuned = METHOD.fit(noisy, METHOD.options(**sharp, fine_tune=True, learning_rate=0.01))
    assert tuned.losses[-1] < tuned.losses[0]
    assert np.abs(tuned.keys - start.keys).max() > 1e-3
    np.testing.assert_array_equal(tuned.votes, start.votes)
    np.testing.assert_array_equal(tuned.names.vectors, start.names.vectors)
    (curve,) = tuned.notes().curves
    assert len(curve.points) == 20


def test_where_the_rows_do_not_count_nothing_is_trained(problem):
    tuned = METHOD.fit(problem, METHOD.options(alphas=(0.0,), fine_tune=True))
    assert isinstance(tuned, Cache)
    assert tuned.losses == ()
