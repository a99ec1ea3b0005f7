"""What comes next for people, as two linear maps of what they took, both in closed form.

One is EASE (arXiv:1905.03375) over items that count the more the later they were taken. The other
learns from beginnings of histories what came later: ridge regression with a constant, of several
cuts of each person, so that little is known of most (after Choi et al. 2021, arXiv:2103.16104,
and Steck 2020, on inputs that are left out). Scores of each map are put on one scale for each
person; the longer a history, the more the first map counts. How strongly the second one is held
back, how much recent items count and how much the first map does is chosen by people left out.

Shapes: n people, I items, w of them related to one another, d numbers that describe an item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field

from supertune.contracts import Catalogue, FloatArray, History, IntArray, Options
from supertune.methods._recommending import Learnt, Seen, seen_by, top
from supertune.methods.ease import often, solved
from supertune.ranking import TOP, per_person

CUTS = (1, 2, 3, 5, 8, 14, 30, 0.5)  # items that are known, or a share of them
LAST = 0.2  # share of a history that counts twice among what came later
LEAST = 2  # items that come later
SHARED = 0.2  # how much what items are says of what comes after them, beside the items themselves
EVEN = 0.25  # power of how many came later, by which each of them counts less
HALF = 40.0  # items at which the first map has half of its largest weight
OUT, FEWEST = 5, 20  # one person in so many is left out to choose by, of so many at least
BEGUN = 5  # items that are known of people left out, to choose the second map by
STRENGTHS, RECENCIES, BALANCES = (100.0, 30.0, 10.0), (8.0, 2.0, 0.0), (2.0, 0.5, 8.0)


class LaterOptions(Options):
    """Keys of methods that predict what comes later."""

    strength: float = Field(200.0, gt=0, description="L2 penalty on the weights between items")
    later_strength: float | None = Field(
        None,
        gt=0,
        description="L2 penalty on what beginnings say of what came later; by default chosen by "
        "people left out",
    )
    half_life: float = Field(
        5.0, gt=0, description="items after which what was taken counts half as much"
    )
    recency: float | None = Field(
        None,
        ge=0,
        description="how much more the last item counts than the first ones; by default chosen",
    )
    balance: float | None = Field(
        None,
        ge=0,
        description="weight of the map between items in long histories; by default chosen",
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
    balance: float

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
        weight = self.balance * seen.lengths**2 / (seen.lengths**2 + HALF**2)
        both = after + weight[:, None] * even(recent @ self.between)
        return Scored(np.asarray(both), np.asarray(plain @ self.between), 1 + weight)


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of related items: ``both`` (n, w) by both maps, ``plain`` (n, w) by the first one
    without an order, and ``size`` (n,) how far those of both spread."""

    both: FloatArray
    plain: FloatArray
    size: FloatArray


def learnt_maps(learnt: Learnt, options: Any, described: FloatArray | None = None) -> Maps:
    """Both maps of the items that somebody took; with descriptions (I, d) of items, those that
    are described alike are expected to be followed by the same."""
    given = _Settings(options.later_strength, options.recency, options.balance)
    chosen = _chosen(learnt, options, given, described)
    between, related = _between(learnt.seen, options.strength)
    after = _after(learnt.seen, related, chosen.strength, learnt.seed, described)
    return Maps(
        between,
        after.astype(np.float32),
        related,
        options.half_life,
        chosen.recency,
        chosen.balance,
    )


def _between(seen: Seen, strength: float) -> tuple[FloatArray, IntArray]:
    """EASE of the items that somebody took, (w, w), and their places."""
    related = often(seen)
    taken = seen.matrix[:, related]
    gram = (taken.T @ taken).toarray().astype(np.float64)
    return solved(gram, strength).astype(np.float32), related


@dataclass(frozen=True)
class _Settings:
    """What is chosen by people left out, where it is not given."""

    strength: Any
    recency: Any
    balance: Any

    def settled(self) -> _Settings:
        """The first of those that are tried, where nobody can be left out."""
        pairs = zip(
            (self.strength, self.recency, self.balance),
            (STRENGTHS, RECENCIES, BALANCES),
            strict=True,
        )
        return _Settings(*(tried[0] if given is None else given for given, tried in pairs))


def _chosen(
    learnt: Learnt, options: Any, given: _Settings, described: FloatArray | None
) -> _Settings:
    """By NDCG of people left out: the penalty by what came after their first few items, the rest
    by the last fifth of what they did."""
    people = len(learnt.histories)
    settled = given.settled()
    if people < FEWEST or None not in (given.strength, given.recency, given.balance):
        return settled
    order = np.random.default_rng(learnt.seed).permutation(people)
    kept = np.sort(order[people // OUT :])
    out = [learnt.histories[i] for i in np.sort(order[: people // OUT])]
    others = seen_by([learnt.histories[i] for i in kept], learnt.catalogue)
    between, related = _between(others, options.strength)
    maps = Maps(between, between, related, options.half_life, 0.0, 0.0)
    begun = _Left.out(out, learnt.catalogue, lambda one: min(BEGUN, len(one) // 2))
    strengths = STRENGTHS if given.strength is None else (given.strength,)
    afters = {
        one: _after(others, related, one, learnt.seed, described).astype(np.float32)
        for one in strengths
    }
    scores = [begun.ndcg(replace(maps, after=afters[one])) for one in strengths]
    strength = strengths[_clearly_best(scores)]
    ended = _Left.out(out, learnt.catalogue, lambda one: len(one) - max(1, round(len(one) / 5)))
    tried = [
        (recency, balance)
        for recency in (RECENCIES if given.recency is None else (given.recency,))
        for balance in (BALANCES if given.balance is None else (given.balance,))
    ]
    whole = replace(maps, after=afters[strength])
    scores = [ended.ndcg(replace(whole, recency=one, balance=two)) for one, two in tried]
    recency, balance = tried[int(np.argmax([each.mean() for each in scores]))]
    return _Settings(strength, recency, balance)


def _clearly_best(scores: Sequence[FloatArray]) -> int:
    """The first of some settings, unless another is better by two standard errors of its gain;
    scores are those of each person."""
    gains = [each - scores[0] for each in scores]
    errors = [each.std() / np.sqrt(len(each)) for each in gains]
    clear = [
        gain.mean() if gain.mean() > 2 * error else -1.0
        for gain, error in zip(gains, errors, strict=True)
    ]
    return int(np.argmax(clear)) if max(clear) > 0 else 0


@dataclass(frozen=True, eq=False)
class _Left:
    """People left out: what is known of them, and what came later (n, H)."""

    seen: Seen
    later: IntArray

    @classmethod
    def out(
        cls, people: list[History], catalogue: Catalogue, known: Callable[[History], int]
    ) -> _Left:
        cuts = [known(one) for one in people]
        ends = [one.items[cut:] for one, cut in zip(people, cuts, strict=True)]
        later = np.full((len(people), max(1, *map(len, ends))), -1, dtype=np.int64)
        for row, items in zip(later, ends, strict=True):
            row[: len(items)] = items
        before = [one.first(cut) for one, cut in zip(people, cuts, strict=True)]
        return cls(seen_by(before, catalogue), later)

    def ndcg(self, maps: Maps) -> FloatArray:
        """(n,) of lists among the items that are related."""
        scores = np.full((len(self.seen), self.seen.size), -np.inf)
        scores[:, maps.related] = maps.scores(self.seen).both
        rows = np.repeat(np.arange(len(self.seen)), self.seen.lengths)
        scores[rows, self.seen.items] = -np.inf
        return np.asarray(per_person(top(scores, TOP)[0], self.later)[0][:, 0])


def _after(
    seen: Seen,
    related: IntArray,
    strength: float,
    seed: int,
    described: FloatArray | None = None,
) -> FloatArray:
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
        end = np.repeat((1 - LAST) * seen.lengths, seen.lengths)
        counted = (place >= later) * (1.0 + (place >= end))
        after = seen.weighted(counted / count**EVEN)[:, related]
        one = used.astype(np.float64)
        gram[:size, :size] += (before.T @ before).toarray()
        gram[size, :size] += before.T @ one
        gram[size, size] += one.sum()
        target[:size] += (before.T @ after).toarray()
        target[size] += after.T @ one
    gram[:size, size] = gram[size, :size]
    gram[:size, :size] += strength * _penalty(size, described, related)
    gram[size, size] += 1.0
    return np.asarray(cho_solve(cho_factor(gram), target))


def even(scores: FloatArray) -> FloatArray:
    """Each person's scores with mean 0 and spread 1."""
    away = scores - scores.mean(axis=1, keepdims=True)
    return np.asarray(away / np.maximum(away.std(axis=1, keepdims=True), 1e-9))


def _penalty(size: int, described: FloatArray | None, related: IntArray) -> FloatArray:
    """(w, w) of the map's rows: alone each, or together where items are described alike."""
    if described is None:
        return np.eye(size)
    rows = described[related].astype(np.float64)
    return np.asarray(np.linalg.inv(np.eye(size) + SHARED * rows @ rows.T))
