"""The straight line: rows are read, assessed without being seen, tuned on, judged."""

from __future__ import annotations

import numpy as np
import pytest
from tests.conftest import Files

from supertune import pipeline, registry
from supertune.config import method_options, recipe
from supertune.contracts import Asked, Denoised, Examples, Offer, bounded
from supertune.errors import InputError
from supertune.pipeline import Candidate, Workshop

WORDS = Candidate(None, "bag_of_words")


@pytest.fixture(scope="module")
def rows(reviews: Files) -> Examples:
    return pipeline.read(list(reviews.rows), recipe({})).train


def shop(**options: object) -> Workshop:
    return Workshop(recipe({"folds": 4, "repeats": 3, **options}))


def test_reading_puts_rows_into_the_order_of_their_content(reviews: Files) -> None:
    one = pipeline.read(list(reviews.rows), recipe({})).train
    other = pipeline.read(list(reversed(reviews.rows)), recipe({})).train
    assert one.inputs == other.inputs
    assert one.rows.tolist() == [21 - row for row in other.rows]


def test_what_a_backbone_offers_goes_by_the_resolution_of_the_recipe() -> None:
    def offer(name: str, **options: object) -> Offer:
        return shop(**options).offer(name, fetch=False)

    usual, half = (offer("multistyle", resolution=side) for side in (None, 128))
    assert (usual.resolution, half.resolution) == (256, 128)
    assert half.positions * 4 == usual.positions
    assert offer("efficientnet-lite0", resolution=96).resolution == 96
    assert offer("e5-small", resolution=96) == offer("e5-small")  # it reads no pictures


def test_keys_of_a_method_may_have_other_defaults_for_an_objective() -> None:
    drawing, labels = (
        method_options(recipe({"task": task, "method": "lora"}))
        for task in ("image_generation", "image_classification")
    )
    assert (drawing.learning_rate, labels.learning_rate) == (2e-3, 1e-3)
    assert (drawing.epochs, drawing.batch_size) == (labels.epochs, labels.batch_size)


def test_answers_that_have_no_bounds_are_left_as_they_are() -> None:
    judge, losses = registry.objective("denoise"), Denoised(np.ones((2, 4)))
    assert bounded(judge, losses, {}, Asked()) is losses
    with pytest.raises(InputError, match="no coverage"):
        bounded(judge, losses, {}, Asked(coverage=0.9))


def test_what_is_said_of_rows_goes_by_the_recipe(rows: Examples) -> None:
    def codes(**options: object) -> dict[str, str]:
        return {f.code: f.message for f in pipeline.noticed(rows, recipe(options))}

    assert codes() == {}
    assert "more than about 8 tokens" in codes(max_length=8)["long_text"]
    assert "fewer rows than the 12 folds" in codes(folds=12)["few_rows_in_class"]


def test_every_row_is_answered_once_a_repeat(rows: Examples) -> None:
    workshop = shop()
    folds = workshop.folds(rows)
    assert len(folds) == 3
    for repeat in folds:
        assert sorted(i for _, test in repeat for i in test) == list(range(20))
        assert all(not set(train) & set(test) for train, test in repeat)
    found = pipeline.assess(workshop, WORDS, rows, folds)
    assert found.answers.shape == (3, 20, 2)
    assert np.allclose(found.answers.sum(axis=2), 1)


def test_an_answer_does_not_depend_on_the_rows_own_label(rows: Examples) -> None:
    workshop = shop()
    folds = workshop.folds(rows, repeats=1)
    before = pipeline.assess(workshop, WORDS, rows, folds).answers
    _, test = folds[0][0]
    from dataclasses import replace

    assert rows.targets is not None
    flipped = rows.targets.copy()
    flipped[test] = 1 - flipped[test]
    after = pipeline.assess(workshop, WORDS, replace(rows, targets=flipped), folds).answers
    assert np.array_equal(before[0, test], after[0, test])
    assert not np.array_equal(before, after)


def test_class_weights_have_mean_one(rows: Examples) -> None:
    weights = shop(class_weights={"positive": 3.0}).row_weights(rows)
    assert weights is not None
    assert weights.mean() == pytest.approx(1)
    assert rows.targets is not None
    heavy = weights[rows.targets == rows.labels.index("positive")]
    assert heavy.min() == pytest.approx(3 * weights.min())


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"metric": "micro_f1"}, "metric_does_not_fit"),
        ({"metric": "cost"}, "metric_does_not_fit"),
        ({"metric": "beauty"}, "unknown_metric"),
        ({"cost_matrix": [[0, 1], [1]]}, "bad_cost_matrix"),
        ({"class_weights": {"positive": 0}}, "bad_class_weight"),
        ({"class_weights": {"posative": 2}}, "unknown_label"),
    ],
)
def test_settings_that_do_not_fit_the_rows_are_refused(
    rows: Examples, options: dict[str, object], code: str
) -> None:
    with pytest.raises(InputError) as caught:
        pipeline.check_settings(shop(**options), rows)
    assert caught.value.code == code


def test_settings_that_fit_pass(rows: Examples) -> None:
    for options in ({}, {"metric": "macro_f1"}, {"cost_matrix": [[0, 1], [5, 0]]}):
        pipeline.check_settings(shop(**options), rows)


def test_a_method_that_does_not_fit_is_refused_before_loading(rows: Examples) -> None:
    with pytest.raises(InputError) as caught:
        pipeline.check(shop(), Candidate(None, "lora"))
    assert caught.value.code == "method_does_not_fit"
    assert "lora" in str(caught.value)
    assert "Take --backbone minilm or e5-small or smollm2; " in str(caught.value)
    with pytest.raises(InputError, match=r"Take --backbone smollm2; `supertune methods`"):
        pipeline.check(shop(), Candidate("minilm", "zero_shot_prompt"))
    with pytest.raises(InputError, match=r"Next: `supertune methods`"):
        pipeline.check(shop(), Candidate("minilm", "bag_of_words"))
