"""What costs nothing, answered for the same rows as the model."""

from __future__ import annotations

import numpy as np
import pytest
from tests.conftest import Files

from supertune import baselines, pipeline
from supertune.config import recipe
from supertune.contracts import Examples
from supertune.pipeline import Candidate, Workshop


@pytest.fixture(scope="module")
def rows(reviews: Files) -> tuple[Examples, Examples]:
    reading = pipeline.read(list(reviews.rows), recipe({}), list(reviews.held))
    assert reading.test is not None
    return reading.train, reading.test


def shop() -> Workshop:
    return Workshop(recipe({"folds": 3, "repeats": 2, "max_length": 32}))


def test_label_names_need_a_backbone() -> None:
    assert [one.method for one in baselines.candidates(shop(), None)] == [
        "majority",
        "bag_of_words",
    ]
    assert Candidate("minilm", "label_names") in baselines.candidates(shop(), "minilm")


def test_every_baseline_answers_every_test_row(rows: tuple[Examples, Examples]) -> None:
    train, test = rows
    found = baselines.on_test(shop(), train, test, "minilm")
    assert set(found) == {"majority", "label_names", "bag_of_words"}
    for answers in found.values():
        assert answers.shape == (len(test), 2)
        assert np.allclose(answers.sum(axis=1), 1)
    assert np.ptp(found["majority"], axis=0).max() == 0, "the same answer to every row"


def test_what_was_compared_anyway_is_not_computed_again(rows: tuple[Examples, Examples]) -> None:
    workshop, (train, _) = shop(), rows
    folds = workshop.folds(train)
    known = {"bag_of_words": np.full((2, len(train), 2), 0.5)}
    found = baselines.out_of_fold(workshop, train, folds, None, known)
    assert found["bag_of_words"] is known["bag_of_words"]
    assert found["majority"].shape == (2, len(train), 2)
