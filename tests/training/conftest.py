"""Short news and minilm, as methods see them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.backbones.transformers.conftest import tiny_folder

from supertune.catalogue.corpora import few_shot
from supertune.config import Recipe
from supertune.contracts import Examples, HeadSpec, Lens, Problem
from supertune.pipeline import Workshop

__all__ = ["lens", "news", "problem_of", "tiny_folder"]


@pytest.fixture(scope="session")
def news(own_activations: Path) -> Examples:
    """20 openings of articles on 5 topics."""
    rows, _ = few_shot("bbc-news", per_class=4, test_rows=1, seed=2)
    labels = tuple(sorted({label for _, label in rows}))
    targets = np.array([labels.index(label) for _, label in rows])
    texts = tuple(text[:120] for text, _ in rows)
    return Examples(texts, targets, labels, np.arange(1, len(rows) + 1)).canonical()


@pytest.fixture(scope="session")
def lens(own_activations: Path) -> Lens:
    found = Workshop(Recipe(max_length=24)).lens("minilm")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def problem_of(lens: Lens) -> Callable[..., Problem]:
    """``problem_of(examples, seed=1)``: on minilm."""

    def made(examples: Examples, **changes: Any) -> Problem:
        head = HeadSpec(len(examples.labels), examples.multi_label)
        return Problem(examples, head, **{"lens": lens, "seed": 0, **changes})

    return made
