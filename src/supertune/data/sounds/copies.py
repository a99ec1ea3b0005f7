"""Recordings that are nearly the same: saved in another format, louder, at another rate, cut a
little otherwise where nothing is heard.

Two count when their fingerprints differ in few bits and they are about as long. All pairs are
compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supertune.contracts import Recording
from supertune.data.sounds import hearing, spectra

BITS = 0.2  # share of the bits in which fingerprints of copies may differ; docs/log.md
LENGTH = 0.1  # share by which copies may differ in length, silence at the ends included
LEAST = 0.1  # seconds; what is shorter has too little in it to be told by
_PAIRS = 1 << 20  # fingerprints compared at a time


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
    marks = np.array([heard[i].fingerprint for i in single], np.uint8).reshape(-1, spectra.BYTES)
    long = np.array([heard[i].seconds for i in single])
    step = max(1, _PAIRS // max(1, len(single)))
    for start in range(0, len(single), step):
        block = marks[start : start + step]
        count = np.bitwise_count(block[:, None] ^ marks[None, start:]).sum(axis=2, dtype=np.int32)
        ratio = long[start : start + step, None] / long[None, start:]
        near = (count <= BITS * 8 * spectra.BYTES) & (np.abs(np.log(ratio)) <= LENGTH)
        for left, right in (np.argwhere(near) + start).tolist():
            if left < right:
                low, high = sorted((root(single[left]), root(single[right])))
                parent[high] = low
    together: dict[int, list[int]] = {}
    for i in range(len(heard)):
        together.setdefault(root(i), []).append(i)
    return [members for members in together.values() if len(members) > 1]


def _told(heard: hearing.Heard) -> bool:
    return heard.broken is None and not heard.silent and heard.seconds >= LEAST
