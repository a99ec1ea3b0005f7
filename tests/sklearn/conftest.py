"""Short pieces of BBC news of three topics."""

from __future__ import annotations

import pytest

from supertune.catalogue.corpora import few_shot

Rows = tuple[list[str], list[str]]


def _short(rows: list[tuple[str, str]], per_class: int) -> Rows:
    texts, labels = [], []
    for label in ("business", "sports", "tech"):
        kept = [text for text, found in rows if found == label][:per_class]
        texts += [" ".join(text.split()[:30]) for text in kept]
        labels += [label] * per_class
    return texts, labels


@pytest.fixture(scope="session")
def few() -> Rows:
    """15 texts and their labels, 5 of each topic."""
    return _short(few_shot("bbc-news", per_class=5, test_rows=0, seed=0)[0], 5)


@pytest.fixture(scope="session")
def pool() -> list[str]:
    """36 more, of labels that nobody tells."""
    return _short(few_shot("bbc-news", per_class=5, test_rows=200, seed=0)[1], 16)[0][4:40]


@pytest.fixture(scope="session")
def unseen() -> Rows:
    """12 others."""
    return _short(few_shot("bbc-news", per_class=5, test_rows=200, seed=0)[1], 4)
