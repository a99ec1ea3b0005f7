"""Pictures that are nearly the same: saved again, scaled, or a little lighter or darker.

Two are candidates when their fingerprints (`glimpses.Glimpse.fingerprint`) differ in few bits, and
count when small copies of them differ by little as well: many drawings on plain ground share a
fingerprint and nothing else. All pairs of fingerprints are compared, 64 bits at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray, Picture
from supertune.data.pictures import glimpses

BITS = 10  # of 64 in which fingerprints of copies may differ
DIFFERENT = 6.0  # of 255, from which two small copies are different: see `differences`
LIGHT = 6.0  # how much less a difference in light counts than one in what is shown
CONTRAST = 0.6  # least share of the contrast of one that the other has
_PAIRS = 1 << 22  # fingerprints compared at a time
_COPIES = 1 << 13  # pairs of small copies compared at a time


def clusters(pictures: Sequence[Picture]) -> list[list[int]]:
    """Indices of pictures that are nearly the same, in lists of two or more, ascending.

    Being nearly the same is taken to be transitive. Broken pictures are like no other.
    """
    seen = glimpses.of(pictures)
    whole = [i for i, one in enumerate(seen) if one.broken is None]
    parent = list(range(len(seen)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i in whole:
        parent[root(i)] = root(first.setdefault(pictures[i].sha256, i))
    single = sorted(first.values())
    marks = np.array([seen[i].fingerprint for i in single], dtype=np.uint64)
    copies = np.array([seen[i].small.ravel() for i in single], dtype=np.float32)
    for pairs in _alike(marks):
        near = pairs[differences(copies, pairs) <= DIFFERENT]
        for left, right in near.tolist():
            low, high = sorted((root(single[left]), root(single[right])))
            parent[high] = low
    together: dict[int, list[int]] = {}
    for i in range(len(seen)):
        together.setdefault(root(i), []).append(i)
    return [members for members in together.values() if len(members) > 1]


def differences(copies: FloatArray, pairs: IntArray) -> FloatArray:
    """(p,) how far the small copies (n, d) of each of the pairs (p, 2) are apart, of 255.

    The root of the mean square of what is left of one when the other is made as light and as rich
    in contrast, and a part of how much lighter it is; infinite where one has little of the
    other's contrast.
    """
    light = copies.mean(axis=1)
    centred = copies - light[:, None]
    power = (centred**2).mean(axis=1)
    left, right = pairs[:, 0], pairs[:, 1]
    shared = (centred[left] * centred[right]).mean(axis=1)
    less, more = np.minimum(power[left], power[right]), np.maximum(power[left], power[right])
    explained = np.where(shared > 0, shared**2 / np.maximum(less, 1e-9), 0.0)
    rest = np.maximum(more - np.minimum(explained, more), 0.0)
    found = np.sqrt(rest + ((light[left] - light[right]) / LIGHT) ** 2)
    return np.asarray(np.where(less >= CONTRAST**2 * more, found, np.inf))


def _alike(marks: npt.NDArray[np.uint64]) -> Iterator[IntArray]:
    """(p, 2) pairs i < j of marks that differ in at most `BITS` bits."""
    step = max(1, _PAIRS // max(1, len(marks)))
    for start in range(0, len(marks), step):
        block = marks[start : start + step]
        count = np.bitwise_count(block[:, None] ^ marks[None, start:])
        found = np.argwhere(count <= BITS) + start
        found = found[found[:, 0] < found[:, 1]]
        for place in range(0, len(found), _COPIES):
            yield found[place : place + _COPIES]
