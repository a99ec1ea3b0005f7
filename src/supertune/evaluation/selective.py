"""Answering only where the error among what is answered stays below a limit.

Rows are answered in the order of their confidence, surest first. Whether the ``m`` surest of ``n``
labelled rows are wrong rarely enough is a binomial test on the answers of models that had not seen
them: the upper bound of Clopper and Pearson (1934) has to lie at or below the limit. The numbers
``m`` are tested in an order that is fixed before any answer is looked at, from few rows to many,
and testing ends at the first that fails, so that all of them together err with the probability of
one (fixed-sequence testing, as in Learn then Test: Angelopoulos et al. 2025; selective risk:
Geifman and El-Yaniv 2017). For that the error has to rise as the confidence falls, over the whole
of it and not row by row; no other assumption is made about the model.

The threshold is read off out-of-fold answers and used by the model that is fitted on all rows,
which is another one: the guarantee is exact for the former, and of the latter it is measured.

Shapes: R repeats, n rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray

CONFIDENCE = 0.95  # of the bound on the error
FORGIVEN = 8  # errors, that the first number of rows tested allows at most
EASED = 1e-9  # a limit that is met but for rounding is met


@dataclass(frozen=True)
class Threshold:
    """From which confidence on a model answers under a limit of errors.

    Attributes:
        value: the least confidence that is answered; infinite where nothing is.
        answered: the share of the labelled rows that it answers.
        wrong: the share of those that is wrong, None where nothing is answered.
        upper: the bound on that share, None where nothing is answered.
        needed: rows without any error that the limit asks for.
        missing: how many rows fewer than that there are; 0 where there are enough.
    """

    value: float
    answered: float
    wrong: float | None
    upper: float | None
    needed: int
    missing: int


def upper_bound(wrong: float, rows: float) -> float:
    """One-sided bound of Clopper and Pearson (1934) on a share seen ``wrong`` of ``rows`` times;
    ``wrong`` may lie between whole numbers."""
    from scipy.special import betaincinv

    return 1.0 if wrong >= rows else float(betaincinv(wrong + 1, rows - wrong, CONFIDENCE))


@lru_cache(maxsize=4096)
def rows_needed(max_error: float, wrong: int = 0) -> int:
    """The fewest rows of which ``wrong`` may be wrong under the limit: 59 for none at 5 %."""
    fewest = math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-max_error) - EASED)
    low = high = max(wrong + 1, fewest)
    while upper_bound(wrong, high) > max_error + EASED:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if upper_bound(wrong, middle) > max_error + EASED:
            low = middle + 1
        else:
            high = middle
    return high


def sequence(max_error: float, rows: int) -> list[int]:
    """The numbers of rows tested, ascending: the least of which 0, 1, 2 ... may be wrong, and all
    of them; empty below the floor.

    The first is a third of the rows, or as many as allow `FORGIVEN` errors where these are fewer:
    one wrong label among the surest rows would end a sequence that begins where none may be wrong.
    """
    tested, wrong = [], 0
    first = min(rows / 3, rows_needed(max_error, FORGIVEN))
    while (m := rows_needed(max_error, wrong)) <= rows:
        wrong += 1
        if m >= first:
            tested.append(m)
    return [*tested, rows] if wrong and rows not in tested else tested


def threshold(
    confidence: FloatArray, wrong: npt.NDArray[np.bool_], max_error: float, units: int | None = None
) -> Threshold:
    """The least confidence that can be answered under a limit.

    Args:
        confidence, wrong: (R, n) of out-of-fold answers. Repeats answer the same rows: they
            steady the counts, which are their means, and do not make more rows of them.
        max_error: the limit, above 0 and below 1.
        units: independent units among the rows (groups), n by default. A group counts as one row.
    """
    repeats, rows = confidence.shape
    units = rows if units is None else units
    needed = rows_needed(max_error)
    order = np.argsort(-confidence, axis=None, kind="stable")
    descending, errors = confidence.ravel()[order], np.cumsum(wrong.ravel()[order]) / repeats
    found = Threshold(math.inf, 0.0, None, None, needed, max(0, needed - units))
    for m in sequence(max_error, units):
        # Answers of one confidence are answered together.
        place = repeats * round(m * rows / units)
        level = descending[place - 1]
        place = int(np.searchsorted(-descending, -level, side="right"))
        count, mistaken = place / repeats, float(errors[place - 1])
        upper = upper_bound(mistaken * units / rows, count * units / rows)
        if upper > max_error + EASED:
            break
        found = Threshold(float(level), count / rows, mistaken / count, upper, needed, 0)
    return found
