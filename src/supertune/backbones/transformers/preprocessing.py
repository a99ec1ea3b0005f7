"""A picture as the square of numbers that a model was trained on: resized, cropped, normalised.

What transformers' own image processors do with Pillow, in the few steps that encoders use, so that
a square can also have another side than the one declared. A test holds both to the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.backbones.transformers import loading
from supertune.contracts import BackboneRef, FloatArray, ResizeMode
from supertune.data.pictures.decoding import WHITE, Colour
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

    @cached_property
    def mean_colour(self) -> Colour:
        """What is zero once normalised."""
        red, green, blue = (round(min(255.0, max(0.0, one / self.scale))) for one in self.mean)
        return red, green, blue

    def beneath(self, mode: ResizeMode | None) -> Colour:
        """What shows through where a picture is transparent: the colour of the margin if there is
        one, so that a picture cut out along its outline has one surrounding and not two."""
        return self.mean_colour if mode == "pad" else WHITE

    def square(self, image: Any, side: int, mode: ResizeMode | None = None) -> Pixels:
        """(side, side, 3) of an RGB image of Pillow; ``mode`` as of `Encoding`, None: as declared.
        A margin has the mean colour."""
        left, top, width, height = self.placed(image.size, side, mode)
        resized = np.asarray(image.resize((width, height), resample=self.resample))
        seen = resized[max(0, -top) :, max(0, -left) :][:side, :side]
        if seen.shape[:2] == (side, side):
            return seen
        found = np.empty((side, side, 3), dtype=np.uint8)
        found[:] = self.mean_colour
        found[max(0, top) :, max(0, left) :][: len(seen), : seen.shape[1]] = seen
        return found

    def placed(
        self, size: tuple[int, int], side: int, mode: ResizeMode | None = None
    ) -> tuple[int, int, int, int]:
        """Where in its square a picture of (width, height) comes to lie: left, top, width and
        height, in pixels of the square; of one that is cropped, left or top is below zero."""
        if mode == "stretch":
            return 0, 0, side, side
        if mode == "pad":
            width, height = (max(1, round(side * each / max(size))) for each in size)
            return (side - width) // 2, (side - height) // 2, width, height
        edge = max(side, round(self.edge * side / self.side))
        width, height = (1, 1) if self.squeezed and mode is None else size
        shorter = min(width, height)
        width, height = int(edge * width / shorter), int(edge * height / shorter)
        return -((width - side) // 2), -((height - side) // 2), width, height

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


NEEDED = ("size", "resample", "image_mean", "image_std")  # what nobody should have to guess
_USUAL = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}


def of_values(values: Mapping[str, Any]) -> Preprocessing:
    """Of the content of ``preprocessor_config.json`` with all of `NEEDED`, without transformers."""
    size = values["size"]
    size = size if isinstance(size, Mapping) else {"height": size, "width": size}
    crop = values.get("crop_size") or size
    crop = crop if isinstance(crop, Mapping) else {"height": crop, "width": crop}
    return _of(SimpleNamespace(**{**_USUAL, **values, "size": size, "crop_size": crop}))


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
