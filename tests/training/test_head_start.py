"""Where the readout starts: a head no surer than on rows left out, a template that was searched."""

from __future__ import annotations

import numpy as np
import pytest

from supertune import registry
from supertune.config import Recipe
from supertune.contracts import Examples, HeadSpec, Problem, Prompt
from supertune.methods._asking import label_scores
from supertune.methods.linear_probe import LinearProbeOptions, RidgeBatch, one_hot, softened, solve
from supertune.pipeline import Workshop
from supertune.training import answers, loop

LORA = registry.method("lora")


@pytest.fixture(scope="module")
def drawn():
    """16 rows of 40 features, of which two classes differ in four."""
    rng = np.random.default_rng(0)
    targets = np.arange(16) % 2
    features = rng.normal(size=(16, 40))
    features[:, :4] += 2.0 * targets[:, None]
    return features, targets


def test_a_softened_head_is_as_sure_of_its_rows_as_the_other_of_rows_left_out(drawn):
    features, targets = drawn
    penalties = LinearProbeOptions().penalties
    given = (features, one_hot(targets, 2), np.ones(16), penalties, False)
    hard, soft = solve(*given), softened(*given)
    sure, unsure = (answers.loss(head.apply(features), targets) for head in (hard, soft))
    batch = RidgeBatch(features[None], one_hot(targets, 2)[None], np.ones((1, 16)), False)
    batch.best(penalties)
    assert sure < unsure == pytest.approx(float(batch.left_out[0]), rel=1e-4)
    ratio = soft.weight / hard.weight
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-4)
    assert 0 < ratio[0, 0] < 1
    assert (soft.apply(features).argmax(1) == hard.apply(features).argmax(1)).all()


def test_of_labels_that_say_nothing_the_softened_head_is_still_better_than_a_guess(drawn):
    features, _ = drawn
    features = np.random.default_rng(2).normal(size=features.shape)
    targets = np.random.default_rng(1).permutation(np.arange(16) % 2)
    for several in (False, True):
        wanted = one_hot(targets, 2)
        soft = softened(features, wanted, np.ones(16), LinearProbeOptions().penalties, several)
        found = answers.loss(soft.apply(features), wanted if several else targets)
        guess = answers.loss(np.zeros((16, 2)), wanted if several else targets)
        assert 0 < found < guess


def test_training_from_a_softened_head_has_something_to_learn(problem_of, news):
    starts = [
        loop.train(LORA, problem_of(news), LORA.options(epochs=1, **keys)).losses[0]
        for keys in (
            {"head_start": "solved"},
            {"head_start": "softened"},
            {"head_start": "solved", "label_smoothing": 1e-6},
        )
    ]
    assert starts[0] < 0.1 * starts[1]
    assert starts[2] == pytest.approx(starts[1], rel=1e-3)


@pytest.mark.parametrize("name", ["prompt_tuning", "prefix_tuning", "p_tuning", "lora"])
def test_tuning_starts_from_the_template_that_a_search_finds(tiny_folder, name):
    """Labels are what a random model answers in the second template, which a search must find."""
    lens = Workshop(Recipe(max_length=16)).lens(str(tiny_folder("llama")))
    words = (("good",), ("bad",))
    first, second = Prompt("{text} was {answer}", words), Prompt("two {text} film {answer}", words)
    made = [f"{a} {b} {c}" for a in ("the", "long", "dull") for b in ("a", "of", "film")
            for c in ("story", "very", "two", "and")]  # fmt: skip
    scores = label_scores(lens, second, made)
    gaps = scores[:, 0] - scores[:, 1]
    targets = (gaps < np.median(gaps)).astype(int)
    rows = Examples(tuple(made), targets, ("good", "bad"), np.arange(1, len(made) + 1))
    problem = Problem(rows, HeadSpec(2), lens, 0, prompts=(first, second))
    method = registry.method(name)
    given = loop.train(method, problem, method.options(epochs=1))
    searched = loop.train(method, problem, method.options(epochs=1, search_template=True))
    assert given.prompt == first
    assert searched.prompt == second
