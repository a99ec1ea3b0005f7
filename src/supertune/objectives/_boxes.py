"""Hits, misses and false alarms among boxes, from matchings that were made once.

Shapes: n pictures, K boxes answered and M true ones in each.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import registry
from supertune.average_precision import Matching
from supertune.contracts import Examples, FloatArray

SMALL = 0.3  # a threshold where nothing tells a better one
PICTURES = 12  # drawn in a report
SIDE = 320  # pixels of the longer side of a drawn picture
BOXES = 80  # drawn on a picture

Matched = Mapping[int, Matching]


@dataclass(frozen=True, eq=False)
class Told:
    """From one threshold on.

    Attributes:
        hits, alarms: (n, K) whether a box found a true one of its class, or none.
        misses: (n, M) whether a true box was found by none.
    """

    hits: npt.NDArray[np.bool_]
    alarms: npt.NDArray[np.bool_]
    misses: npt.NDArray[np.bool_]

    def counts(self) -> list[tuple[int, int, int]]:
        """Hits, misses and false alarms of each picture."""
        each = (one.sum(axis=1).tolist() for one in (self.hits, self.misses, self.alarms))
        return list(zip(*each, strict=True))


def told(matched: Matched, answers: FloatArray, targets: FloatArray, threshold: float) -> Told:
    """Of answers (n, K, 6) and targets (n, M, 5) that were matched at an IoU of .5."""
    shown = (answers[..., 5] >= 0) & (answers[..., 4] >= threshold)
    hits, misses = np.zeros(shown.shape, dtype=bool), targets[..., 4] >= 0
    for one in matched.values():
        on = one.hits[0] & (one.scores >= threshold)
        hits[one.pictures[on], one.slots[on]] = True
        misses[one.pictures[on], one.taken[on]] = False
    return Told(hits, shown & ~hits, misses)


def best_threshold(repeats: Sequence[Matched]) -> float:
    """The score from which on hits and misses balance best: the largest F1 over all classes at an
    IoU of .5, boxes of each repeat together."""
    every = [one for matched in repeats for one in matched.values()]
    truths = sum(int(one.truths.sum()) for one in every)
    sure = np.concatenate([*(one.scores for one in every), np.zeros(0)])
    hit = np.concatenate([*(one.hits[0] for one in every), np.zeros(0, dtype=bool)])
    if not hit.any():
        return SMALL
    order = np.argsort(-sure, kind="stable")
    right = hit[order].cumsum()
    f1 = 2 * right / (np.arange(1, len(right) + 1) + truths)
    best = int(f1.argmax())
    after = sure[order][best + 1] if best + 1 < len(sure) else 0.0
    return round(float((sure[order][best] + after) / 2), 4)


def drawn(
    examples: Examples, answers: FloatArray, targets: FloatArray, found: Told
) -> list[dict[str, Any]]:
    """The pictures with most misses and false alarms, then those with most hits: a small copy of
    each, as base64 of a JPEG, and its boxes in shares of its width and height."""
    counts = found.counts()
    order = sorted(
        range(len(counts)),
        key=lambda i: (-sum(counts[i][1:]), -counts[i][0], int(examples.rows[i])),
    )
    return [
        {
            "row": int(examples.rows[i]),
            "name": str(examples.inputs[i]),
            **dict(zip(("hits", "misses", "false_alarms"), counts[i], strict=True)),
            **_copy(examples, i, _boxes(examples.labels, answers[i], targets[i], found, i)),
        }
        for i in order[:PICTURES]
    ]


def _boxes(
    labels: Sequence[str], answers: FloatArray, targets: FloatArray, found: Told, picture: int
) -> list[tuple[str, str, float | None, FloatArray]]:
    """(kind, label, score, corners) of what is to be drawn, what matters most first."""
    missed = targets[found.misses[picture]]
    listed: list[tuple[str, str, float | None, FloatArray]] = [
        ("miss", labels[int(box[4])], None, box[:4]) for box in missed
    ]
    for kind, chosen in (("hit", found.hits[picture]), ("alarm", found.alarms[picture])):
        boxes = answers[chosen]
        order = np.argsort(-boxes[:, 4], kind="stable")
        listed += [(kind, labels[int(b[5])], float(b[4]), b[:4]) for b in boxes[order]]
    return listed


def _copy(
    examples: Examples, picture: int, boxes: Sequence[tuple[str, str, float | None, FloatArray]]
) -> dict[str, Any]:
    value = examples.inputs[picture]
    made = registry.modality(examples.modality).copy(value, SIDE)
    width, height = made.original
    shares = np.array([width, height, width, height], dtype=np.float64)
    return {
        "picture": base64.b64encode(made.jpeg).decode("ascii"),
        "size": list(made.size),
        "left_out": max(0, len(boxes) - BOXES),
        "boxes": [
            {
                "kind": kind,
                "label": label,
                "score": None if score is None else round(score, 3),
                "at": [round(float(side), 4) for side in corners / shares],
            }
            for kind, label, score, corners in boxes[:BOXES]
        ],
    }
