"""Further views of rows, such as a mirrored picture or a recording with noise under it.

Where a closed form learns from them, each has a share of its row's weight, so that a row counts as
one. They stay on the row's side of every fold, are left out along with it, and nothing is judged
by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field

from supertune.contracts import Input, IntArray, Problem
from supertune.errors import InputError

MOST = 32
VIEWS: Any = Field(
    0,
    ge=0,
    le=MOST,
    description="further views of each picture or recording that are learned from: mirrored, "
    "cropped a little; shifted, with noise; each is encoded once",
)


def varied(problem: Problem, views: int) -> list[tuple[Input, ...]]:
    """So many further views of all rows, each in the rows' order.

    Raises:
        InputError: ``no_views`` of rows that are neither pictures nor recordings.
    """
    if not views:
        return []
    see = problem.varied
    if see is None:
        raise InputError(
            "no_views",
            "These rows cannot be seen in another way without becoming others.",
            received=f"views {views}",
            allowed="views of pictures or recordings",
            next="Leave views out.",
        )
    rows = problem.examples.inputs
    return [tuple(see(value, number) for value in rows) for number in range(1, 1 + views)]


def widened(problem: Problem, views: int) -> Problem:
    """The same problem with so many views behind each row, which stand together with it.

    Raises:
        InputError: as `varied`.
    """
    if not views:
        return problem
    rows, others = problem.examples, varied(problem, views)
    count = 1 + views
    wide = rows.take(np.repeat(np.arange(len(rows)), count))
    inputs = tuple(each for of_row in zip(rows.inputs, *others, strict=True) for each in of_row)
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
