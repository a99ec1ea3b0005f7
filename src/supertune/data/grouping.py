"""Rows that must stay on one side of a split, as integers that no order of rows can change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from supertune.contracts import Examples, content_key


def kept_together(
    examples: Examples, named: Sequence[str | None] | None, alike: Sequence[Sequence[int]]
) -> Examples:
    """``examples`` with ``groups``: rows of one name, and rows of one cluster, share a number.

    Args:
        named: (n,) the group each row was given; None where it has none.
        alike: clusters of row indices; one that touches several groups makes them one.

    Without names and clusters, ``groups`` stays None.
    """
    if named is None and not alike:
        return examples
    unit = list(range(len(examples)))

    def root(i: int) -> int:
        while unit[i] != i:
            unit[i] = unit[unit[i]]
            i = unit[i]
        return i

    first: dict[str, int] = {}
    ties = [(i, first.setdefault(name, i)) for i, name in enumerate(named or ()) if name]
    ties += [(i, members[0]) for members in alike for i in members[1:]]
    for a, b in ties:
        unit[root(a)] = root(b)
    return replace(examples, groups=_numbered(examples, [root(i) for i in range(len(unit))]))


def _numbered(
    examples: Examples, unit: Sequence[int]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(n,) units numbered by the least content among their rows."""
    least: dict[int, str] = {}
    for i, value in enumerate(examples.inputs):
        target = None if examples.targets is None else examples.targets[i].tolist()
        key = content_key(value, target)
        least[unit[i]] = min(least.get(unit[i], key), key)
    number = {one: place for place, one in enumerate(sorted(least, key=least.__getitem__))}
    return np.array([number[one] for one in unit], dtype=np.int64)
