"""Average precision and recall of boxes, for one weighting of the pictures or thousands at once.

As COCO counts (Lin et al. 2014, arXiv:1405.0312): boxes of one class and picture, the surest
first, each take the truth that they overlap most among those left, from an IoU of .5 on in steps
of .05; precision is made monotone and read at 101 recalls, and averaged over IoUs and over the
classes that occur. Which box is a hit does not depend on how much a picture counts, so boxes are
matched once; a weighting then takes matrix products of counts a picture. As many boxes a picture
count as are given, where COCO's own table stops at 100.

Shapes: n pictures, K boxes answered and M true ones in each, D boxes of a class in all pictures,
T IoUs, B weightings. A box that is not there has class -1.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
_KEPT = 64  # matchings that are remembered: one set of answers is scored many times
_known: OrderedDict[bytes, dict[int, Matching]] = OrderedDict()


@dataclass(frozen=True, eq=False)
class Matching:
    """The boxes of one class, the surest first.

    Attributes:
        scores: (D,).
        pictures: (D,) the picture that each is in.
        slots: (D,) its place among the K of that picture.
        hits: (T, D) whether it takes a true box.
        truths: (n,) how many true boxes a picture has.
        taken: (D,) the place among the M of the true box that it takes at the first IoU, or -1.
    """

    scores: FloatArray
    pictures: IntArray
    slots: IntArray
    hits: npt.NDArray[np.bool_]
    truths: IntArray
    taken: IntArray


@dataclass(frozen=True, eq=False)
class Scored:
    """Of one class: (B, T) average precision and highest recall; NaN where no true box counts."""

    precision: FloatArray
    recall: FloatArray


def scores(
    answers: FloatArray, targets: FloatArray, weights: FloatArray | None = None
) -> dict[str, FloatArray]:
    """``map``, ``map50``, ``map75`` and ``ar``, (B,) each; 0 where no true box counts.

    Args:
        answers: (n, K, 6) of x0, y0, x1, y1, score, class.
        targets: (n, M, 5) of x0, y0, x1, y1, class.
        weights: (B, n); one weighting of ones if None.
    """
    found = by_class(answers, targets, weights)
    count = 1 if weights is None else len(weights)
    if not found:
        return {name: np.zeros(count) for name in ("map", "map50", "map75", "ar")}
    precision = _mean(np.stack([one.precision for one in found.values()]))
    recall = _mean(np.stack([one.recall for one in found.values()]))
    return {
        "map": precision.mean(axis=1),
        "map50": precision[:, 0],
        "map75": precision[:, 5],
        "ar": recall.mean(axis=1),
    }


def by_class(
    answers: FloatArray, targets: FloatArray, weights: FloatArray | None = None
) -> dict[int, Scored]:
    """The same for each class that occurs among the true boxes."""
    return of_matched(matched(answers, targets), len(answers), weights)


def of_matched(
    found: Mapping[int, Matching], pictures: int, weights: FloatArray | None = None
) -> dict[int, Scored]:
    """The same of boxes that were matched before, in so many pictures."""
    wanted = np.ones((1, pictures)) if weights is None else np.asarray(weights, np.float64)
    return {name: _scored(one, wanted) for name, one in found.items()}


def matched(answers: FloatArray, targets: FloatArray) -> dict[int, Matching]:
    """For each class that occurs among the true boxes; remembered for as long as others are not
    asked about."""
    key = hashlib.sha256(np.ascontiguousarray(answers).tobytes())
    key.update(repr((answers.shape, targets.shape)).encode())
    key.update(np.ascontiguousarray(targets).tobytes())
    found = _known.pop(key.digest(), None)
    if found is None:
        names = np.unique(targets[..., 4][targets[..., 4] >= 0]).astype(int)
        found = {int(name): _matching(answers, targets, int(name)) for name in names}
    _known[key.digest()] = found
    while len(_known) > _KEPT:
        _known.popitem(last=False)
    return found


def overlaps(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> FloatArray:
    """(a, 4) and (b, 4) corners -> (a, b) intersection over union."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:4], other[None, :, 2:4])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    sizes = _area(one)[:, None] + _area(other)[None] - shared
    return np.asarray(shared / np.maximum(sizes, 1e-12))


def _area(boxes: npt.NDArray[Any]) -> FloatArray:
    return np.asarray(np.clip(boxes[:, 2:4] - boxes[:, :2], 0, None).prod(axis=1))


def _matching(answers: FloatArray, targets: FloatArray, name: int) -> Matching:
    scores, pictures, slots, hits, taken = [], [], [], [], []
    for number, (given, true) in enumerate(zip(answers, targets, strict=True)):
        mine = np.flatnonzero(given[:, 5] == name)
        theirs = np.flatnonzero(true[:, 4] == name)
        mine = mine[np.argsort(-given[mine, 4], kind="stable")]
        hit, first = _taken(overlaps(given[mine], true[theirs]))
        scores.append(given[mine, 4])
        pictures.append(np.full(len(mine), number))
        slots.append(mine)
        hits.append(hit)
        taken.append(np.where(first >= 0, np.append(theirs, -1)[first], -1))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return Matching(
        np.concatenate(scores)[order],
        np.concatenate(pictures)[order],
        np.concatenate(slots)[order],
        np.concatenate(hits, axis=1)[:, order],
        (targets[..., 4] == name).sum(axis=1),
        np.concatenate(taken)[order],
    )


def _taken(shared: FloatArray) -> tuple[npt.NDArray[np.bool_], IntArray]:
    """(d, m) overlaps, the surest box first -> (T, d) hits, (d,) what is taken at the first IoU."""
    count, truths = shared.shape
    hits = np.zeros((len(IOUS), count), dtype=bool)
    first = np.full(count, -1)
    free = np.ones((len(IOUS), truths), dtype=bool)
    able = np.flatnonzero(shared.max(axis=1, initial=0.0) >= IOUS[0])
    for box in able:
        worth = np.where(free, shared[box], -1.0)
        best = truths - 1 - worth[:, ::-1].argmax(axis=1)  # of equal ones the last, as COCO does
        value = worth[np.arange(len(IOUS)), best]
        hit = value >= np.minimum(IOUS, 1 - 1e-10)
        free[hit, best[hit]] = False
        hits[:, box] = hit
        first[box] = best[0] if hit[0] else -1
    return hits, first


def _scored(one: Matching, weights: FloatArray) -> Scored:
    shape = (len(weights), len(IOUS))
    precision, recall = np.zeros(shape), np.zeros(shape)
    there = np.flatnonzero(
        (one.truths > 0) | (np.bincount(one.pictures, minlength=len(one.truths)) > 0)
    )
    place = np.full(len(one.truths), -1)
    place[there] = np.arange(len(there))
    mass = weights[:, there]
    true = mass @ one.truths[there].astype(np.float64)
    for number, hit in enumerate(one.hits):
        where = np.flatnonzero(hit)
        if not len(where):
            continue
        among = _counts(place[one.pictures], where, len(there))
        right = _counts(place[one.pictures[where]], np.arange(len(where)), len(there))
        given, taken = mass @ among.T, mass @ right.T
        reached = taken / np.maximum(true, 1e-300)[:, None]
        exact = np.where(given > 0, taken / np.maximum(given, 1e-300), 0.0)
        exact = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]
        passed = np.searchsorted(RECALLS, reached.ravel(), side="right").reshape(reached.shape)
        steps = np.diff(passed, axis=1, prepend=0)
        precision[:, number] = (steps * exact).sum(axis=1) / len(RECALLS)
        recall[:, number] = reached[:, -1]
    nothing = true <= 0
    precision[nothing], recall[nothing] = np.nan, np.nan
    return Scored(precision, recall)


def _counts(pictures: IntArray, where: IntArray, width: int) -> FloatArray:
    """(J, width) how many of the boxes up to each of J places lie in each picture."""
    step = np.searchsorted(where, np.arange(len(pictures)))
    kept = step < len(where)
    counts = np.zeros((len(where), width))
    np.add.at(counts, (step[kept], pictures[kept]), 1.0)
    return np.asarray(counts.cumsum(axis=0))


def _mean(values: FloatArray) -> FloatArray:
    """(C, B, T) -> (B, T) over classes that are not NaN; 0 without any."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1))
