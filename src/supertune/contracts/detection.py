"""Boxes on pictures: what a detector owes, and what a model answers.

Answers pass through the straight line as (n, 6 K) numbers, K boxes side by side: x0, y0, x1, y1
in pixels of the upright picture, a score from 0 to 1, and the class. Targets are (n, M, 5), the
same without the score. A box that is not there is -1 throughout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from supertune.contracts.answers import UNLIKE, unlike
from supertune.contracts.backbone import Encoding
from supertune.contracts.data import FloatArray, Picture

NUMBERS = 6  # of a box that is answered
FEWEST, MOST, TIMES = 100, 1000, 3  # boxes that answer for a picture, of the most that one has
_SHOWN = 5


@dataclass(frozen=True)
class View:
    """A part of a picture as a detector reads it; ``repr`` is its key in the activation cache.

    Attributes:
        part: x0, y0, x1, y1 in pixels of the upright picture, which may lie partly outside.
        side: pixels a side that the part is stretched to.
        flip: whether it is mirrored from left to right.
        turns: by how many quarters it is then turned, against the clock.
        tint: a seed by which it is lit and coloured otherwise; 0 leaves it as it is.
    """

    picture: Picture
    part: tuple[int, int, int, int]
    side: int
    flip: bool = False
    turns: int = 0
    tint: int = 0

    @property
    def scale(self) -> FloatArray:
        """(2,) how much wider and higher the view is than its part."""
        x0, y0, x1, y1 = self.part
        return np.array([self.side / (x1 - x0), self.side / (y1 - y0)])

    def onto(self, boxes: npt.NDArray[Any]) -> FloatArray:
        """(m, 4 or more) boxes of the picture in pixels of the view; nothing is cut."""
        found = np.array(boxes, dtype=np.float64)
        found[:, 0:2] = (found[:, 0:2] - self.part[:2]) * self.scale
        found[:, 2:4] = (found[:, 2:4] - self.part[:2]) * self.scale
        if self.flip:
            found[:, [0, 2]] = self.side - found[:, [2, 0]]
        for _ in range(self.turns):
            found[:, :4] = _turned(found[:, :4], self.side)
        return found

    def back(self, boxes: npt.NDArray[Any]) -> FloatArray:
        """The inverse of `onto`."""
        found = np.array(boxes, dtype=np.float64)
        for _ in range(-self.turns % 4):
            found[:, :4] = _turned(found[:, :4], self.side)
        if self.flip:
            found[:, [0, 2]] = self.side - found[:, [2, 0]]
        found[:, 0:2] = found[:, 0:2] / self.scale + self.part[:2]
        found[:, 2:4] = found[:, 2:4] / self.scale + self.part[:2]
        return found


def _turned(boxes: FloatArray, side: int) -> FloatArray:
    """(m, 4) after a quarter turn against the clock of a square."""
    x0, y0, x1, y1 = boxes.T
    return np.stack([y0, side - x1, y1, side - x0], axis=1)


class DetectionHead(Protocol):
    """The part of a detector that says what is where, for classes of its own.

    ``maps`` of a batch of views are what `Tunable.run` gives.
    """

    def parameters(self) -> list[Any]:
        """The engine's tensors to train."""
        ...

    def loss(self, maps: Any, truths: Sequence[FloatArray]) -> Any:
        """The detector's own loss of a batch, a tensor with gradients; of each view the boxes
        (m, 5) in its pixels."""
        ...

    def boxes(self, maps: Any, most: int) -> list[FloatArray]:
        """For each view (k, 6) at most, in its pixels, the surest first; those that overlap much
        of a surer one of their class left out."""
        ...

    def said(self, maps: Any) -> tuple[Any, Any]:
        """What `boxes` chooses from, as the engine's tensors: chances (B, P, K) of each class at P
        places or queries, and corners (B, P, 4) in pixels of the view."""
        ...

    @property
    def state(self) -> dict[str, npt.NDArray[Any]]: ...
    def keep(self, state: Mapping[str, npt.NDArray[Any]]) -> None: ...


@runtime_checkable
class Detecting(Protocol):
    """What a `Backbone` with ``detect`` among its capabilities also owes."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of what it was trained to find."""
        ...

    def side(self, encoding: Encoding) -> int:
        """Pixels a side of the views that it reads, as near to what is asked for as it can."""
        ...

    def size(self, picture: Picture) -> tuple[int, int]:
        """Width and height of the upright picture in pixels, from its header."""
        ...

    def maps(self, arrays: Sequence[FloatArray], cut: int, side: int) -> Any:
        """What enters block ``cut`` for a batch of views of ``side`` pixels, as `Tunable.run`
        takes it, from what `Backbone.activations` gave for each."""
        ...

    def detection_head(self, like: Sequence[int | None], *, seed: int = 0) -> DetectionHead:
        """A head for new classes, each of which begins as one of `classes`, or as none."""
        ...

    def responses(
        self, maps: Iterable[Any], truths: Sequence[FloatArray], count: int
    ) -> FloatArray:
        """(count, `classes`) how strongly each class is seen where boxes of each of ``count`` new
        ones are, on average; zeros for one without boxes. Of each view its maps at the head's
        entry, and its boxes (m, 5)."""
        ...


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes on n pictures; see `supertune.contracts.Answers`.

    Attributes:
        boxes: (n, K, 6), the surest first; class -1 where there is none.
        names: the class names.
        threshold: from which score on a box counts as found; all are scored.
        likeness: as in `supertune.contracts.Predictions`.
    """

    boxes: FloatArray
    names: tuple[str, ...]
    threshold: float = 0.3
    likeness: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def scored(self) -> FloatArray:
        return self.boxes.reshape(len(self.boxes), -1)

    def found(self) -> Iterator[list[dict[str, Any]]]:
        """For each picture what is found from the threshold on, the surest first."""
        for rows in self.boxes:
            kept = rows[(rows[:, 5] >= 0) & (rows[:, 4] >= self.threshold)]
            yield [
                {
                    "label": self.names[int(row[5])],
                    "score": round(float(row[4]), 4),
                    "box": [round(float(side), 1) for side in row[:4]],
                }
                for row in kept
            ]

    def columns(self) -> dict[str, list[Any]]:
        """``boxes`` as JSON, and ``count``."""
        found = list(self.found())
        return {"count": [len(one) for one in found], "boxes": found, **unlike(self.likeness)}

    def listed(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [{"boxes": one} for one in self.found()]
        if self.likeness is not None:
            for row, likeness in zip(rows, self.likeness.tolist(), strict=True):
                row |= {"unlike": likeness <= UNLIKE, "likeness": likeness}
        return rows

    def lines(self) -> list[str]:
        lines = []
        for one in self.found():
            said = [f"{box['label']} {box['score']:.2f} at {box['box']}" for box in one[:_SHOWN]]
            more = f" and {len(one) - _SHOWN} more" if len(one) > _SHOWN else ""
            lines.append(", ".join(said) + more if said else "nothing found")
        for row, odd in enumerate(unlike(self.likeness).get("unlike", [])):
            lines[row] += "  (unlike the rows learned from)" if odd else ""
        return lines

    def counts(self) -> dict[str, int]:
        """How many boxes of each class are found."""
        return dict(Counter(box["label"] for one in self.found() for box in one))

    def marks(self) -> dict[str, int]:
        return {name: sum(cells) for name, cells in unlike(self.likeness).items()}

    def compared(self, likeness: FloatArray) -> Detections:
        return replace(self, likeness=likeness)


def boxes_allowed(targets: npt.NDArray[Any]) -> int:
    """K, by the targets (n, M, 5) that are learned from."""
    return min(MOST, max(FEWEST, TIMES * int(targets.shape[1])))


def unflattened(answers: FloatArray) -> FloatArray:
    """(..., 6 K) -> (..., K, 6)."""
    return answers.reshape(*answers.shape[:-1], -1, NUMBERS)


def padded(boxes: Sequence[npt.NDArray[Any]], most: int) -> FloatArray:
    """(n, most, 6) of (k, 6) boxes each, the surest first."""
    table = np.full((len(boxes), most, NUMBERS), -1.0)
    for row, found in enumerate(boxes):
        table[row, : min(most, len(found))] = found[:most]
    return table
