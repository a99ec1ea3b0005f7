"""Tables of numbers that come with scikit-learn, so that nothing is fetched."""

from __future__ import annotations

import random

Table = list[dict[str, float]]

TABLES = ("diabetes",)


def drawn(name: str, *, test_rows: int, seed: int) -> tuple[Table, Table]:
    """Rows of a table of `TABLES` to learn from, and ``test_rows`` others; the same for one seed.

    ``diabetes``: ten measurements of 442 patients in their own units, and how far the disease
    had progressed a year later (Efron, Hastie, Johnstone and Tibshirani 2004).
    """
    from sklearn.datasets import load_diabetes

    assert name in TABLES
    given = load_diabetes(scaled=False)
    names = (*given.feature_names, "progression")
    rows = [
        dict(zip(names, (*row, value), strict=True))
        for row, value in zip(given.data.tolist(), given.target.tolist(), strict=True)
    ]
    random.Random(f"{name} {seed}").shuffle(rows)
    return rows[test_rows:], rows[:test_rows]
