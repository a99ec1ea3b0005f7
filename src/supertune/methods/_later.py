"""What comes next for people, as two linear maps of what they took, both in closed form.

One is EASE (arXiv:1905.03375) over items that count the more the later they were taken. The other
learns from beginnings of histories what came later: ridge regression with a constant, of several
cuts of each person, so that little is known of most (after Choi et al. 2021, arXiv:2103.16104,
and Steck 2020, on inputs that are left out). Scores of each map are put on one scale for each
person; the longer a history, the more the first map counts.

Shapes: n people, I items, w of them related to one another, d numbers that describe an item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from supertune.contracts import FloatArray, IntArray, Options
from supertune.methods._recommending import Learnt, Seen
from supertune.methods.ease import often, solved

CUTS = (2, 5, 10, 20, 40, 0.5)  # items that are known, or a share of them
LEAST = 2  # items that come later
EVEN = 0.25  # power of how many came later, by which each of them counts less
SOONER, MOST = 20.0, 2.0  # items at which the first map has half of its largest weight, and that


class LaterOptions(Options):
    """Keys of methods that predict what comes later."""

    strength: float = Field(200.0, gt=0, description="L2 penalty on the weights between items")
    later_strength: float = Field(
        100.0, gt=0, description="L2 penalty on what beginnings say of what came later"
    )
    half_life: float = Field(
        5.0, gt=0, description="items after which what was taken counts half as much"
    )
    recency: float = Field(
        8.0, ge=0, description="how much more the last item counts than the first ones"
    )


@dataclass(frozen=True, eq=False)
class Maps:
    """Two linear maps between related items: ``between`` (w, w), and ``after`` (w + 1, w) whose
    last row is what comes whatever was taken; ``related`` (w,) are their places."""

    between: FloatArray
    after: FloatArray
    related: IntArray
    half_life: float
    recency: float

    @property
    def parameters(self) -> int:
        return int(self.between.size + self.after.size)

    def scores(self, seen: Seen, lent: FloatArray | None = None) -> Scored:
        """Of the related items; ``lent`` (n, w) is added to what people took."""
        recent = seen.recent(self.half_life, self.recency)[:, self.related].toarray()
        plain = seen.matrix[:, self.related].toarray()
        if lent is not None:
            recent, plain = recent + lent, plain + lent
        known = np.maximum(np.sqrt(seen.lengths), 1.0)[:, None]
        after = even(plain / known @ self.after[:-1] + self.after[-1])
        weight = MOST * seen.lengths**2 / (seen.lengths**2 + SOONER**2)
        both = after + weight[:, None] * even(recent @ self.between)
        return Scored(np.asarray(both), np.asarray(plain @ self.between), 1 + weight)


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of related items: ``both`` (n, w) by both maps, ``plain`` (n, w) by the first one
    without an order, and ``size`` (n,) how far those of both spread."""

    both: FloatArray
    plain: FloatArray
    size: FloatArray


def learnt_maps(learnt: Learnt, options: Any) -> Maps:
    """Both maps of the items that somebody took."""
    related = often(learnt)
    taken = learnt.matrix[:, related]
    gram = (taken.T @ taken).toarray().astype(np.float64)
    return Maps(
        solved(gram, options.strength).astype(np.float32),
        _after(learnt.seen, related, options.later_strength, learnt.seed).astype(np.float32),
        related,
        options.half_life,
        options.recency,
    )


def _after(seen: Seen, related: IntArray, strength: float, seed: int) -> FloatArray:
    """(w + 1, w) ridge regression of what came later on what was known, and a constant."""
    from scipy.linalg import cho_factor, cho_solve

    size = len(related)
    gram, target = np.zeros((size + 1, size + 1)), np.zeros((size + 1, size))
    place = np.empty(len(seen.items), dtype=np.int64)  # of each item among those of its person
    rank = np.arange(len(seen.items)) - np.repeat(seen.ends - seen.lengths, seen.lengths)
    place[:] = rank
    mixed = np.random.default_rng(seed)
    for person in np.flatnonzero(~seen.ordered):  # any part of them is a beginning
        own = slice(seen.ends[person] - seen.lengths[person], seen.ends[person])
        place[own] = mixed.permutation(place[own])
    for cut in CUTS:
        known = np.floor(cut * seen.lengths) if cut < 1 else np.full(len(seen), float(cut))
        used = (known >= 1) & (known + LEAST <= seen.lengths)
        first = np.repeat(np.where(used, known, 0.0), seen.lengths)
        later = np.repeat(np.where(used, known, np.inf), seen.lengths)
        count = np.repeat(np.maximum(seen.lengths - known, 1.0), seen.lengths)
        before = seen.weighted((place < first) / np.sqrt(np.maximum(first, 1.0)))[:, related]
        after = seen.weighted((place >= later) / count**EVEN)[:, related]
        one = used.astype(np.float64)
        gram[:size, :size] += (before.T @ before).toarray()
        gram[size, :size] += before.T @ one
        gram[size, size] += one.sum()
        target[:size] += (before.T @ after).toarray()
        target[size] += after.T @ one
    gram[:size, size] = gram[size, :size]
    gram[np.arange(size), np.arange(size)] += strength
    gram[size, size] += 1.0
    return np.asarray(cho_solve(cho_factor(gram), target))


def even(scores: FloatArray) -> FloatArray:
    """Each person's scores with mean 0 and spread 1."""
    away = scores - scores.mean(axis=1, keepdims=True)
    return np.asarray(away / np.maximum(away.std(axis=1, keepdims=True), 1e-9))
