"""A picture as the square of numbers that a model was trained on: resized, cropped, normalised.

What transformers' own image processors do with Pillow, in the few steps that encoders use, so that
a square can also have another side than the one declared. A test holds both to the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.backbones.transformers import loading
from supertune.contracts import BackboneRef, FloatArray
from supertune.errors import InputError

Pixels = npt.NDArray[np.uint8]
_SMALL = 384  # ConvNeXt: below this side the edges of a picture are cropped away


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes pixels.

    Attributes:
        side: pixels a side of the square.
        edge: what the shorter side of the picture is resized to before the square is cropped out
            of its centre.
        squeezed: both sides are, whatever the picture's shape.
        resample: Pillow's number of the filter.
        scale: what a value from 0 to 255 is multiplied by.
        mean, spread: of the three channels, after that.
    """

    side: int
    edge: int
    squeezed: bool
    resample: int
    scale: float
    mean: tuple[float, ...]
    spread: tuple[float, ...]

    def square(self, image: Any, side: int) -> Pixels:
        """(side, side, 3) of an RGB image of Pillow."""
        edge = max(side, round(self.edge * side / self.side))
        width, height = (1, 1) if self.squeezed else image.size
        shorter = min(width, height)
        width, height = int(edge * width / shorter), int(edge * height / shorter)
        resized = np.asarray(image.resize((width, height), resample=self.resample))
        top, left = (height - side) // 2, (width - side) // 2
        return resized[top : top + side, left : left + side]

    def normalised(self, squares: Pixels) -> FloatArray:
        """(n, 3, side, side) float32 of squares (n, side, side, 3)."""
        scaled = (squares.astype(np.float64) * self.scale).astype(np.float32)
        mean, spread = (np.asarray(each, np.float32) for each in (self.mean, self.spread))
        return np.ascontiguousarray(((scaled - mean) / spread).transpose(0, 3, 1, 2))


def declared(ref: BackboneRef) -> Preprocessing:
    """From ``preprocessor_config.json``, with transformers' defaults of its kind.

    Raises:
        InputError: ``image_processor_unreadable``.
    """
    from transformers import AutoImageProcessor

    assert ref.folder is not None
    try:
        with loading.quiet():
            made = AutoImageProcessor.from_pretrained(str(ref.folder), local_files_only=True)
        return _of(made)
    except Exception as error:
        raise InputError(
            "image_processor_unreadable",
            f"How {ref.name} wants its pictures cannot be read.",
            received=(str(error).splitlines() or [type(error).__name__])[0],
            allowed="preprocessor_config.json as an image processor of transformers writes it",
            next="Save it beside the weights with image_processor.save_pretrained(folder).",
        ) from error


def declared_side(values: Mapping[str, Any]) -> int:
    """Pixels a side by the content of ``preprocessor_config.json``; 0 where it does not say."""
    if values.get("do_center_crop") and values.get("crop_size"):
        return _side(values["crop_size"])
    return _side(values.get("size") or 0)


def _of(made: Any) -> Preprocessing:
    size = dict(made.size)
    side = edge = _side(size)
    squeezed = True
    if getattr(made, "do_center_crop", None):
        side, squeezed = _side(dict(made.crop_size)), "shortest_edge" not in size
    elif getattr(made, "crop_pct", None) and side < _SMALL:
        edge, squeezed = int(side / made.crop_pct), False
    mean, spread = (0.0,) * 3, (1.0,) * 3
    if made.do_normalize:
        mean, spread = tuple(made.image_mean), tuple(made.image_std)
    scale = float(made.rescale_factor) if made.do_rescale else 1.0
    return Preprocessing(side, edge, squeezed, int(made.resample), scale, mean, spread)


def _side(size: Any) -> int:
    if isinstance(size, Mapping):
        return int(size.get("height") or size.get("shortest_edge") or 0)
    return int(size[0] if isinstance(size, list | tuple) else size)
