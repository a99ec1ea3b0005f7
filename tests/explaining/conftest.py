"""Models that are explained, fitted once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import Files

import supertune
from supertune.model import Model

Fitted = Callable[..., Model]


@pytest.fixture(scope="session")
def fitted(reviews: Files) -> Fitted:
    """A model of some method on the reviews, in memory."""
    known: dict[str, Model] = {}

    def model(method: str, backbone: str | None = None, **options: Any) -> Model:
        if method not in known:
            own = {} if backbone is None else {"backbone": backbone}
            known[method] = supertune.fit(
                reviews.train, method=method, folds=2, repeats=1, max_length=32, **own, **options
            )
        return known[method]

    return model
