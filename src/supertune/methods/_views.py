"""Further views of rows, such as a mirrored picture, for methods on kept features.

Views of a row are learned from with a share of its weight, so that a row counts as one. They stay
on the row's side of every fold, are left out along with it, and nothing is judged by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field

from supertune.contracts import IntArray, Problem
from supertune.errors import InputError

MOST = 32
VIEWS: Any = Field(
    0,
    ge=0,
    le=MOST,
    description="further views of each picture that are learned from: mirrored, cropped a little; "
    "each is encoded once",
)


def widened(problem: Problem, views: int) -> Problem:
    """The same problem with so many views behind each row, which stand together with it.

    Raises:
        InputError: ``no_views`` of rows that are no pictures.
    """
    if not views:
        return problem
    if problem.varied is None:
        raise InputError(
            "no_views",
            "These rows cannot be seen in another way without becoming others.",
            received=f"views {views}",
            allowed="views of pictures",
            next="Leave views out.",
        )
    rows = problem.examples
    count = 1 + views
    wide = rows.take(np.repeat(np.arange(len(rows)), count))
    inputs = tuple(
        each
        for value in rows.inputs
        for each in (value, *(problem.varied(value, number) for number in range(1, count)))
    )
    weights = np.ones(len(wide)) if wide.weights is None else wide.weights
    wide = replace(wide, inputs=inputs, weights=weights / count)
    return replace(problem, examples=wide, together=count)


def in_views(
    folds: Sequence[tuple[IntArray, IntArray]], views: int
) -> Sequence[tuple[IntArray, IntArray]]:
    """Folds of rows as folds of `widened` rows: all views to learn from, the rows themselves to
    answer."""
    if not views:
        return folds
    count, own = 1 + views, np.arange(1 + views)
    return [((train[:, None] * count + own).ravel(), test * count) for train, test in folds]
