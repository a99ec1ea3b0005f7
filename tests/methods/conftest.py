"""Few-shot rows of BBC news, and minilm as methods see it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from supertune.catalogue.corpora import few_shot
from supertune.config import Recipe
from supertune.contracts import Examples, HeadSpec, Lens, Problem
from supertune.pipeline import Workshop

Draw = Callable[..., tuple[Examples, Examples]]


def _examples(rows: list[tuple[str, str]], labels: tuple[str, ...]) -> Examples:
    targets = np.array([labels.index(label) for _, label in rows])
    return Examples(tuple(t for t, _ in rows), targets, labels, np.arange(1, len(rows) + 1))


@pytest.fixture(scope="session")
def draw() -> Draw:
    """``draw(seed, per_class=8, test_rows=200)``: rows to learn from, rows to judge by."""

    def drawn(seed: int, per_class: int = 8, test_rows: int = 200) -> tuple[Examples, Examples]:
        train, test = few_shot("bbc-news", per_class=per_class, test_rows=test_rows, seed=seed)
        labels = tuple(sorted({label for _, label in train}))
        return _examples(train, labels), _examples(test, labels)

    return drawn


@pytest.fixture(scope="session")
def news(draw: Draw) -> Examples:
    """40 labelled articles of 5 topics."""
    return draw(0)[0]


@pytest.fixture(scope="session")
def lens() -> Lens:
    """minilm, 64 tokens of each text."""
    found = Workshop(Recipe(max_length=64)).lens("minilm")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def problem_of() -> Callable[..., Problem]:
    """``problem_of(examples, lens)``"""

    def made(examples: Examples, lens: Lens | None = None) -> Problem:
        return Problem(examples, HeadSpec(len(examples.labels), examples.multi_label), lens, seed=0)

    return made
