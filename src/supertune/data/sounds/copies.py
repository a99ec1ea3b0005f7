"""Recordings that are nearly the same: saved in another format, louder, at another rate, cut a
little otherwise where nothing is heard.

Two count when their fingerprints differ in few bits and they are about as long. All pairs are
compared; those that are not wholly unlike once more, with a little of one of them left out at
either end, since a copy may have been trimmed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, Recording
from supertune.data.sounds import hearing, spectra

# Shares of the bits in which fingerprints of copies may differ; docs/log.md has how many copies and
# how many others are found by these. Above `UNLIKE` nobody looks again.
BITS, TRIMMED, UNLIKE = 0.2, 0.175, 0.35
LENGTH = 0.1  # share by which copies may differ in length, silence at the ends included
LEAST = 0.1  # seconds; what is shorter has too little in it to be told by
_PAIRS = 1 << 20  # fingerprints compared at a time

Bits = npt.NDArray[np.uint8]


def clusters(recordings: Sequence[Recording]) -> list[list[int]]:
    """Indices of recordings that are nearly the same, in lists of two or more, ascending.

    Being nearly the same is taken to be transitive. Broken and silent ones are like no other.
    """
    heard = hearing.of(recordings)
    parent = list(range(len(heard)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[object, int] = {}
    for i, one in enumerate(recordings):
        low, high = sorted((root(first.setdefault(one.content, i)), root(i)))
        parent[high] = low
    single = [i for i in sorted(first.values()) if _told(heard[i])]
    looks = np.array([heard[i].fingerprints for i in single], np.uint8)
    looks = looks.reshape(-1, spectra.LOOKS, spectra.BYTES)
    for left, right in _near(looks, np.array([heard[i].seconds for i in single])):
        low, high = sorted((root(single[left]), root(single[right])))
        parent[high] = low
    together: dict[int, list[int]] = {}
    for i in range(len(heard)):
        together.setdefault(root(i), []).append(i)
    return [members for members in together.values() if len(members) > 1]


def _near(looks: Bits, long: FloatArray) -> Iterator[tuple[int, int]]:
    """Pairs of places, the lower first, of recordings that are so many seconds long."""
    marks = looks[:, 0]
    step = max(1, _PAIRS // max(1, len(marks)))
    for start in range(0, len(marks), step):
        block = marks[start : start + step]
        count = _share(block[:, None], marks[None, start:])
        ratio = long[start : start + step, None] / long[None, start:]
        near = (count <= UNLIKE) & (np.abs(np.log(ratio)) <= LENGTH)
        for left, right in np.argwhere(near).tolist():
            one, other = left + start, right + start
            if one < other and (count[left, right] <= BITS or _trimmed(looks[one], looks[other])):
                yield one, other


def _trimmed(one: Bits, other: Bits) -> bool:
    """Whether either is the other with a little left out."""
    apart = (_share(one, other[0]).min(), _share(other, one[0]).min())
    return bool(min(apart) <= TRIMMED)


def _share(one: Bits, other: Bits) -> FloatArray:
    count = np.bitwise_count(one ^ other).sum(axis=-1, dtype=np.int32)
    return np.asarray(count / (8 * spectra.BYTES))


def _told(heard: hearing.Heard) -> bool:
    return heard.broken is None and not heard.silent and heard.seconds >= LEAST
