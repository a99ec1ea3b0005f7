"""The mean of the rows, whatever the input."""

from __future__ import annotations

import numpy as np

from supertune.contracts import Examples, HeadSpec, Problem
from supertune.methods.mean import METHOD


def test_it_answers_with_the_weighted_mean_of_the_rows() -> None:
    rows = Examples(
        ("a", "b", "c"),
        np.array([1.0, 2.0, 6.0]),
        ("price",),
        np.arange(1, 4),
        weights=np.array([1.5, 1.5, 0.0]),
    )
    found = METHOD.fit(Problem(rows, HeadSpec(1, valued=True), None, 0), METHOD.options())
    assert found.logits(["x", "y"], None).tolist() == [[1.5], [1.5]]
    assert found.logits([], None).shape == (0, 1)
    assert found.tuned_parameters == 0
