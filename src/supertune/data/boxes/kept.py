"""Boxes in a model folder: in shares of the picture, which may be kept as a smaller copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, Input, Picture
from supertune.data.boxes.annotated import Shares
from supertune.data.boxes.examples import targets
from supertune.data.boxes.sizes import upright


def to_json(boxes: npt.NDArray[Any], value: Input, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The boxes (M, 5) of one picture, as shares of its width and height."""
    assert isinstance(value, Picture)
    scale = np.tile(upright(value), 2)
    return [
        {"box": (box[:4] / scale).tolist(), "label": labels[int(box[4])]}
        for box in boxes
        if box[4] >= 0
    ]


def from_json(
    kept: Sequence[Sequence[dict[str, Any]]], inputs: Sequence[Input], labels: Sequence[str]
) -> FloatArray:
    """The inverse, of all pictures: (n, M, 5)."""
    rows = []
    for boxes, value in zip(kept, inputs, strict=True):
        assert isinstance(value, Picture)
        size = upright(value)
        rows.append([Shares(*_sides(one), one["label"], "").on(*size) for one in boxes])
    return targets(rows, labels)


def _sides(one: dict[str, Any]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = one["box"]
    return x0, y0, x1, y1
