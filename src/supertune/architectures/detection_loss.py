"""The loss of a one-stage detector whose boxes are distributions over distances.

Which places answer for which box is settled anew at every step from what the model says
(task-aligned assignment, Feng et al. 2021, arXiv:2108.07755): a place is worth
score^alpha * IoU^beta to a box that it lies in, and the best of them answer for it. Their class
logits learn an IoU as soft target and all others 0 (quality focal loss), and their distances by
the two bins beside the truth (distribution focal loss; both Li et al. 2020, arXiv:2006.04388)
and by generalised IoU (Rezatofighi et al. 2019, arXiv:1902.09630).

Shapes: P places, G boxes of one picture, K classes, R + 1 bins a side; boxes are x0, y0, x1, y1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from supertune.architectures.nanodet import boxes_of

TINY = 1e-9


@dataclass(frozen=True)
class Assignment:
    """(P,) index of the box that each place answers for, -1 for none; (P,) its soft target."""

    box: Tensor
    quality: Tensor


@dataclass(frozen=True)
class Weighing:
    """How much each part of the loss counts, and how places are chosen."""

    boxes: float = 2.0
    distances: float = 0.25
    focus: float = 2.0
    alpha: float = 1.0
    beta: float = 6.0
    most: int = 13  # places a box


def overlaps(one: Tensor, other: Tensor) -> Tensor:
    """(..., a, 4) and (..., b, 4) -> (..., a, b) intersection over union."""
    low = torch.maximum(one[..., :, None, :2], other[..., None, :, :2])
    high = torch.minimum(one[..., :, None, 2:], other[..., None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    sizes = _area(one)[..., :, None] + _area(other)[..., None, :]
    return shared / (sizes - shared).clamp(min=TINY)


def generalised_iou(one: Tensor, other: Tensor) -> Tensor:
    """(n, 4) and (n, 4) -> (n,) from -1 to 1."""
    low = torch.maximum(one[:, :2], other[:, :2])
    high = torch.minimum(one[:, 2:], other[:, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    union = (_area(one) + _area(other) - shared).clamp(min=TINY)
    around = torch.minimum(one[:, :2], other[:, :2]), torch.maximum(one[:, 2:], other[:, 2:])
    hull = (around[1] - around[0]).clamp(min=0).prod(-1).clamp(min=TINY)
    return shared / union - (hull - union) / hull


def assign(
    chances: Tensor,
    boxes: Tensor,
    points: Tensor,
    strides: Tensor,
    truth: Tensor,
    labels: Tensor,
    weighing: Weighing,
) -> Assignment:
    """Places for the boxes of one picture.

    A box too small to hold the middle of any place takes those nearest to its own middle.

    Args:
        chances: (P, K) after the sigmoid.
        boxes: (P, 4) as the model has them now.
        points, strides: (P, 2) and (P,), see `supertune.architectures.nanodet.places`.
        truth, labels: (G, 4) and (G,).
    """
    count = len(points)
    if not len(truth):
        nothing = torch.full((count,), -1, dtype=torch.long, device=points.device)
        return Assignment(nothing, torch.zeros(count, device=points.device))
    everywhere = inside(points, strides, truth)
    where = torch.nonzero(everywhere.any(0))[:, 0]  # all others answer for nothing
    within = everywhere[:, where]
    shared = overlaps(truth, boxes[where])  # (G, Q)
    worth = chances[where][:, labels].T.clamp(min=TINY) ** weighing.alpha
    worth = torch.where(within, worth * shared**weighing.beta + TINY * 1e-3, 0.0)
    best, chosen = worth.topk(min(weighing.most, len(where)), dim=1)
    taken = torch.zeros_like(within).scatter_(1, chosen, best > 0)
    # A place that several boxes want answers for the one that it overlaps most.
    claimed = torch.where(taken, shared + TINY, 0.0)
    reach, box = claimed.max(0)
    mine = torch.zeros_like(worth)
    columns = torch.arange(len(where), device=points.device)
    mine[box, columns] = torch.where(reach > 0, worth[box, columns], 0.0)
    # The best place of a box learns the IoU that it has, the others in proportion.
    top = mine.max(1).values.clamp(min=TINY * 1e-6)
    most = torch.where(mine > 0, shared, 0.0).max(1).values
    quality = mine[box, columns] / top[box] * most[box]
    found = torch.full((count,), -1, dtype=torch.long, device=points.device)
    found[where] = torch.where(reach > 0, box, -1)
    soft = torch.zeros(count, device=points.device)
    soft[where] = torch.where(reach > 0, quality, 0.0)
    return Assignment(found, soft)


def loss(
    logits: Tensor,
    bins: Tensor,
    points: Tensor,
    strides: Tensor,
    truths: list[tuple[Tensor, Tensor]],
    weighing: Weighing,
) -> tuple[Tensor, Tensor]:
    """Sum of the three parts over pictures, and what to divide it by: the sum of soft targets.

    Args:
        logits: (B, P, K).
        bins: (B, P, 4 (R + 1)).
        truths: for each picture its boxes (G, 4) and labels (G,).
    """
    with torch.no_grad():
        found = boxes_of(bins, points, strides)
    total, mass = logits.new_zeros(()), logits.new_zeros(())
    for picture, (truth, labels) in enumerate(truths):
        with torch.no_grad():
            chances = logits[picture].sigmoid()
            given = assign(chances, found[picture], points, strides, truth, labels, weighing)
        on = given.box >= 0
        target = torch.zeros_like(logits[picture])
        target[on, labels[given.box[on]]] = given.quality[on]
        total = total + quality_focal(logits[picture], target, weighing.focus)
        mass = mass + given.quality.sum()
        if bool(on.any()):
            wanted = truth[given.box[on]]
            own = boxes_of(bins[picture][on], points[on], strides[on])
            gap = 1 - generalised_iou(own, wanted)
            sides = distances(wanted, points[on], strides[on])
            spread = distribution_focal(bins[picture][on], sides)
            each = weighing.boxes * gap + weighing.distances * spread
            total = total + (each * given.quality[on]).sum()
    return total, mass


def quality_focal(logits: Tensor, target: Tensor, focus: float) -> Tensor:
    """Cross-entropy with soft targets, each weighed by how far off it is; the sum."""
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (each * (logits.sigmoid() - target).abs() ** focus).sum()


def distribution_focal(bins: Tensor, sides: Tensor) -> Tensor:
    """(n, 4 (R + 1)) logits and (n, 4) distances in strides -> (n,) the sum over sides of the
    cross-entropy with the two bins beside the truth."""
    logs = bins.reshape(len(bins), 4, -1).log_softmax(-1)
    last = logs.shape[-1] - 1
    sides = sides.clamp(0, last - 0.01)
    low = sides.floor().long()
    share = sides - low
    below = logs.gather(2, low[..., None])[..., 0]
    above = logs.gather(2, low[..., None] + 1)[..., 0]
    return -((1 - share) * below + share * above).sum(1)


def distances(boxes: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """(n, 4) from each place to the four sides of its box, in strides."""
    away = torch.cat([points - boxes[:, :2], boxes[:, 2:] - points], dim=1)
    return away / strides[:, None]


def inside(points: Tensor, strides: Tensor, truth: Tensor) -> Tensor:
    """(G, P) whether the middle of a place lies in a box; of a box that holds none, the place of
    the finest map that holds its middle."""
    x, y = points[:, 0], points[:, 1]
    x0, y0, x1, y1 = truth.T[:, :, None]
    within: Tensor = (x > x0) & (x < x1) & (y > y0) & (y < y1)
    missed = torch.nonzero(~within.any(1))[:, 0]
    if len(missed):
        middle = (truth[missed, :2] + truth[missed, 2:]) / 2
        off = ((points[None] - middle[:, None]) / strides[None, :, None]).abs().max(2).values
        within[missed] = (off <= 0.5) & (strides == strides.min())
    return within


def _area(boxes: Tensor) -> Tensor:
    wide, high = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    size: Tensor = wide.clamp(min=0) * high.clamp(min=0)
    return size
