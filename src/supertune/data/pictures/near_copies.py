"""Pictures that are nearly the same: saved again, scaled, or a little lighter or darker.

Two are candidates when their fingerprints (`glimpses.Glimpse.fingerprint`) differ in few bits, and
count when small copies of them differ by little as well: many drawings on plain ground share a
fingerprint and nothing else. All pairs of fingerprints are compared, 64 bits at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from supertune.contracts import IntArray, Picture
from supertune.data.pictures import glimpses

BITS = 8  # of 64 in which fingerprints of copies may differ
DIFFERENT = 6.0  # of 255, the root of the mean square difference of two small copies
_PAIRS = 1 << 22  # compared at a time


def clusters(pictures: Sequence[Picture]) -> list[list[int]]:
    """Indices of pictures that are nearly the same, in lists of two or more, ascending.

    Being nearly the same is taken to be transitive. Broken pictures are like no other.
    """
    seen = glimpses.of(pictures)
    whole = np.array([i for i, one in enumerate(seen) if one.broken is None], dtype=np.int64)
    parent = list(range(len(seen)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i in whole.tolist():
        parent[root(i)] = root(first.setdefault(pictures[i].sha256, i))
    single = np.array(sorted(first.values()), dtype=np.int64)
    marks = np.array([seen[i].fingerprint for i in single], dtype=np.uint64)
    for left, right in _alike(marks):
        a, b = int(single[left]), int(single[right])
        if root(a) != root(b) and difference(seen[a], seen[b]) <= DIFFERENT:
            low, high = sorted((root(a), root(b)))
            parent[high] = low
    together: dict[int, list[int]] = {}
    for i in range(len(seen)):
        together.setdefault(root(i), []).append(i)
    return [members for members in together.values() if len(members) > 1]


def difference(one: glimpses.Glimpse, other: glimpses.Glimpse) -> float:
    """Root of the mean square difference of two small copies, of 255, after both have the same
    mean light; how much lighter one is counts for a quarter."""
    left, right = one.small.astype(np.float64), other.small.astype(np.float64)
    lighter = left.mean() - right.mean()
    return float(np.sqrt(((left - right - lighter) ** 2).mean() + (lighter / 4) ** 2))


def _alike(marks: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> Iterator[tuple[int, int]]:
    """Pairs (i < j) of marks that differ in at most `BITS` bits."""
    step = max(1, _PAIRS // max(1, len(marks)))
    for start in range(0, len(marks), step):
        block = marks[start : start + step]
        count = np.bitwise_count(block[:, None] ^ marks[None, start:])
        found: IntArray = np.argwhere(count <= BITS)
        for left, right in found.tolist():
            if left < right:
                yield start + left, start + right
