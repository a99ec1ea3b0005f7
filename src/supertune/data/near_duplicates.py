"""Texts that are nearly the same, found without comparing all pairs.

Letters and digits alone are compared, case aside, as sets of five in a row (shingles). Each set
is reduced to a sketch by one-permutation MinHash (Li, Owen & Zhang 2012); texts whose sketches
agree in a band are candidates (Broder 1997; Leskovec, Rajaraman & Ullman, "Mining of Massive
Datasets", 3.4), and a candidate counts only if the sets' true Jaccard index is large. Everything
is linear in the number of characters, but for the sorting of bands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from supertune.contracts import IntArray

SHINGLE = 5
SIMILAR = 0.9
BINS = 128  # numbers in a sketch
BAND = 8  # of them in a band: 16 bands miss 1 pair in 8,000 of Jaccard index 0.9
_CHUNK = 1 << 20  # characters at a time, so that memory stays bounded
_EMPTY = np.uint32(0xFFFFFFFF)

Words = npt.NDArray[np.uint64]


def clusters(texts: Sequence[str], similar: float = SIMILAR) -> list[list[int]]:
    """Indices of texts that are nearly the same, in lists of two or more, ascending.

    Being nearly the same is taken to be transitive. Texts without letters or digits are compared
    as they stand.
    """
    parent = list(range(len(texts)))
    plain = [_plain(text) for text in texts]
    first: dict[bytes, int] = {}
    for i, codes in enumerate(plain):
        key = codes.tobytes() or b"\0" + texts[i].encode("utf-8", "surrogatepass")
        _unite(parent, i, first.setdefault(key, i))
    # In the order of their content, as which pairs are tried depends on the order.
    alone = [i for _, i in sorted(first.items())]
    sets: dict[int, Words] = {}
    for left, right in _candidates([plain[i] for i in alone], similar):
        a, b = alone[left], alone[right]
        if _root(parent, a) == _root(parent, b):
            continue
        for i in (a, b):
            if i not in sets:
                sets[i] = np.unique(_shingles(plain[i]))
        if jaccard(sets[a], sets[b]) >= similar:
            _unite(parent, a, b)
    together: dict[int, list[int]] = {}
    for i in range(len(texts)):
        together.setdefault(_root(parent, i), []).append(i)
    return [members for members in together.values() if len(members) > 1]


def jaccard(left: Words, right: Words) -> float:
    """Shared share of two sorted sets; 0 when both are empty."""
    if min(len(left), len(right)) < SIMILAR * 0.5 * max(len(left), len(right)):
        return 0.0
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return shared / max(1, len(left) + len(right) - shared)


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def _unite(parent: list[int], a: int, b: int) -> None:
    low, high = sorted((_root(parent, a), _root(parent, b)))
    parent[high] = low


@cache
def _letters() -> npt.NDArray[np.bool_]:
    """(0x110000,) whether a code point is a letter or a digit."""
    return np.fromiter((chr(code).isalnum() for code in range(0x110000)), np.bool_, 0x110000)


def _plain(text: str) -> npt.NDArray[np.uint32]:
    """Code points of the letters and digits, case folded."""
    codes = np.frombuffer(text.casefold().encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return np.asarray(codes[_letters()[codes]], dtype=np.uint32)


def _shingles(codes: npt.NDArray[np.uint32]) -> Words:
    """One well-mixed 64-bit number for each five code points in a row."""
    size = len(codes) - SHINGLE + 1
    if size <= 0:
        return np.zeros(0, dtype=np.uint64)
    hashed = np.zeros(size, dtype=np.uint64)
    for offset in range(SHINGLE):
        hashed *= np.uint64(0x100000001B3)
        hashed += codes[offset : offset + size]
    # The finaliser of splitmix64 (Steele, Lea & Flood 2014).
    hashed ^= hashed >> np.uint64(30)
    hashed *= np.uint64(0xBF58476D1CE4E5B9)
    hashed ^= hashed >> np.uint64(27)
    hashed *= np.uint64(0x94D049BB133111EB)
    hashed ^= hashed >> np.uint64(31)
    return hashed


def _sketches(plain: Sequence[npt.NDArray[np.uint32]]) -> npt.NDArray[np.uint32]:
    """(n, BINS): the least hash among a text's shingles in each bin."""
    sketch = np.full((len(plain), BINS), _EMPTY, dtype=np.uint32)
    for rows in _chunks([len(codes) for codes in plain]):
        whole = np.concatenate([plain[i] for i in rows])
        lengths = np.array([len(plain[i]) for i in rows])
        owner = np.repeat(np.arange(rows.start, rows.stop), lengths)
        hashed = _shingles(whole)
        inside = owner[: len(hashed)] == owner[SHINGLE - 1 :][: len(hashed)]
        hashed, owner = hashed[inside], owner[: len(inside)][inside]
        cell = owner * BINS + (hashed >> np.uint64(57)).astype(np.int64)
        np.minimum.at(sketch.reshape(-1), cell, (hashed & np.uint64(_EMPTY)).astype(np.uint32))
    return sketch


def _chunks(lengths: Sequence[int]) -> Iterator[range]:
    start, held = 0, 0
    for i, length in enumerate(lengths):
        held += length
        if held >= _CHUNK:
            yield range(start, i + 1)
            start, held = i + 1, 0
    if start < len(lengths):
        yield range(start, len(lengths))


def _candidates(
    plain: Sequence[npt.NDArray[np.uint32]], similar: float
) -> Iterator[tuple[int, int]]:
    """Pairs whose sketches agree in a band and nearly everywhere; at most two a row and band."""
    if len(plain) < 2:
        return
    sketch = _sketches(plain)
    seen: set[tuple[int, int]] = set()
    for start in range(0, BINS, BAND):
        band = np.ascontiguousarray(sketch[:, start : start + BAND])
        held = np.flatnonzero((band != _EMPTY).any(axis=1))
        pairs = _neighbours(band[held], held)
        left, right = sketch[pairs[:, 0]], sketch[pairs[:, 1]]
        known = (left != _EMPTY) | (right != _EMPTY)
        agree = ((left == right) & known).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        # The sketch's own error is about 0.03 for long texts and more for short ones.
        for a, b in pairs[agree >= similar - 0.15].tolist():
            if (a, b) not in seen:
                seen.add((a, b))
                yield a, b


def _neighbours(band: npt.NDArray[np.uint32], rows: IntArray) -> IntArray:
    """(p, 2) rows with an equal band: each with the first of its kind and with the one before."""
    keys = band.view(np.dtype((np.void, band.dtype.itemsize * band.shape[1]))).ravel()
    _, kind = np.unique(keys, return_inverse=True)
    order = np.argsort(kind, kind="stable")
    sorted_kind = kind[order]
    same = np.flatnonzero(sorted_kind[1:] == sorted_kind[:-1]) + 1
    leader = np.searchsorted(sorted_kind, sorted_kind[same])
    to_leader = np.column_stack([rows[order[leader]], rows[order[same]]])
    to_previous = np.column_stack([rows[order[same - 1]], rows[order[same]]])
    return np.unique(np.concatenate([to_leader, to_previous]), axis=0)
