"""Two recordings of the same words, brought together frame by frame.

Dynamic time warping (Sakoe & Chiba 1978, IEEE Trans. ASSP 26) over cepstra of mel bands, each
brought to mean 0 and spread 1 over its recording, so that neither voice nor telephone counts.
"""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray, IntArray

CEPSTRA = 12


def cepstra(bands: FloatArray) -> FloatArray:
    """(frames, `CEPSTRA`) of mel bands (frames, count) in dB."""
    count = bands.shape[1]
    waves = np.cos(np.pi / count * np.outer(np.arange(1, CEPSTRA + 1), np.arange(count) + 0.5))
    found = bands @ waves.T
    return np.asarray((found - found.mean(axis=0)) / (found.std(axis=0) + 1e-6))


def aligned(one: FloatArray, other: FloatArray) -> IntArray:
    """(pairs, 2) which frame of bands (frames, count) belongs to which, both ascending."""
    first, second = cepstra(one), cepstra(other)
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)
    return _path(_summed(squares - 2 * first @ second.T))


def _summed(costs: FloatArray) -> FloatArray:
    """(n + 1, m + 1) the least sum of costs on a way to each pair, diagonal by diagonal."""
    rows, columns = costs.shape
    sums = np.full((rows + 1, columns + 1), np.inf)
    sums[0, 0] = 0.0
    for diagonal in range(rows + columns - 1):
        at = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        across = diagonal - at
        before = np.minimum(sums[at, across], sums[at, across + 1])
        before = np.minimum(before, sums[at + 1, across])
        sums[at + 1, across + 1] = before + costs[at, across]
    return sums


def _path(sums: FloatArray) -> IntArray:
    row, column = sums.shape[0] - 1, sums.shape[1] - 1
    pairs = []
    while row > 0 and column > 0:
        pairs.append((row - 1, column - 1))
        ways = (sums[row - 1, column - 1], sums[row - 1, column], sums[row, column - 1])
        way = int(np.argmin(ways))
        row -= way != 2
        column -= way != 1
    return np.array(pairs[::-1], dtype=np.int64)
