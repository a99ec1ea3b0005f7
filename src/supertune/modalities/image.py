"""Rows that are a picture."""

from __future__ import annotations

import base64
import io
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from supertune.contracts import Columns, Copy, Examples, Finding, FloatArray, Input, Offer, Picture
from supertune.data.cells import counted
from supertune.data.pictures import glimpses, making, near_copies, reading
from supertune.data.pictures.decoding import opened
from supertune.data.pictures.varying import varied

TRIED = ("efficientnet-lite0", "dinov2-small")
SMALL = 24  # pixels of the shorter side below which little can be seen
UNEVEN = 4.0  # largest picture to smallest, by the side, from which it is said
KEPT_BYTES = 100_000  # of a picture in a model folder; a larger one is kept as a smaller copy
KEPT_SIDE = 448  # pixels of the longer side of such a copy
THUMBNAIL = 64  # pixels of the longer side


class Image:
    name = "image"
    noun = "picture"
    vectors = False
    window = 256
    varied = staticmethod(varied)

    def given(self, values: Any, columns: Columns) -> list[Input]:
        found = reading.given(values)
        if columns.concept is None:
            return found
        return [
            replace(one, caption=one.caption or columns.concept)
            for one in found
            if isinstance(one, Picture)
        ]

    def blank(self, value: Input) -> bool:
        return not isinstance(value, Picture)

    def same(self, value: Input) -> Hashable:
        return value.sha256 if isinstance(value, Picture) else value

    def alike(self, inputs: Sequence[Input], most: int | None = None) -> list[list[int]]:
        return near_copies.clusters(_pictures(inputs))

    def form(self, inputs: Sequence[Input]) -> FloatArray:
        seen = glimpses.of(_pictures(inputs))
        for one in seen:
            if one.broken is not None:
                raise one.broken
        return np.stack([one.form for one in seen]) if seen else np.zeros((0, making.COLUMNS))

    def noticed(self, examples: Examples, max_length: int) -> list[Finding]:
        """``small_picture``, ``sizes_differ``."""
        seen = glimpses.of(_pictures(examples.inputs))
        sides = np.array([min(one.width, one.height) for one in seen])
        found = []
        few = np.flatnonzero(sides < SMALL)
        if len(few):
            message = (
                f"{counted(len(few), 'picture')} {'has' if len(few) == 1 else 'have'} fewer than "
                f"{SMALL} pixels a side (the smallest {sides.min()}); they are enlarged to what "
                "the backbone reads."
            )
            rows = tuple(int(examples.rows[i]) for i in few)
            found.append(Finding("small_picture", message, rows, "info"))
        if len(sides) and sides.max() >= UNEVEN * max(1, sides.min()):
            small, large = seen[int(sides.argmin())], seen[int(sides.argmax())]
            message = (
                f"Pictures are of sizes from {small.width} x {small.height} to {large.width} x "
                f"{large.height}; all are scaled to what the backbone reads. If a class comes in "
                "one size, the model may learn the size."
            )
            found.append(Finding("sizes_differ", message, (), "info"))
        return found

    def to_json(self, value: Input) -> Any:
        """Its name and bytes; of a large one, a smaller copy that learning goes on from as well."""
        assert isinstance(value, Picture)
        data = value.read()
        if len(data) > KEPT_BYTES:
            data = _copied(value)
        kept = {"name": value.name, "bytes": base64.b64encode(data).decode("ascii")}
        return {**kept, **({"caption": value.caption} if value.caption else {})}

    def from_json(self, kept: Any) -> Input:
        data, caption = base64.b64decode(kept["bytes"]), str(kept.get("caption", ""))
        return Picture.of(data, str(kept["name"]), caption=caption)

    def described(self, value: Input) -> str:
        (seen,) = glimpses.of(_pictures([value]))
        return f"{value} ({seen.width} x {seen.height} pixels)"

    def thumbnail(self, value: Input) -> bytes | None:
        assert isinstance(value, Picture)
        return _scaled(value, THUMBNAIL)

    def played(self, value: Input) -> bytes | None:
        return None

    def copy(self, value: Input, side: int) -> Copy:
        assert isinstance(value, Picture)
        image = opened(value)
        original = image.size
        image.thumbnail((side, side))
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=80)
        return Copy(stream.getvalue(), image.size, original)

    def language(self, inputs: Sequence[Input]) -> str | None:
        return None

    def backbones(self, inputs: Sequence[Input]) -> tuple[str, ...]:
        return TRIED

    def lengths(
        self, inputs: Sequence[Input], offer: Offer | None, max_length: int
    ) -> tuple[int, ...]:
        """Patches of 16 pixels a side, which most transformers of pictures read about as many of.

        A convolutional network has a small part of the parameters that blocks of its width would
        have, and takes about four times as long for each operation.
        """
        if offer is None:
            return (0,) * len(inputs)
        if offer.positions:
            return (offer.positions,) * len(inputs)
        patches = (offer.resolution // 16) ** 2
        share = offer.parameters / (12 * offer.width**2 * max(1, offer.depth))
        return (max(1, round(patches * min(1.0, 4 * share))),) * len(inputs)


MODALITY = Image()


def _pictures(inputs: Sequence[Input]) -> list[Picture]:
    return [value for value in inputs if isinstance(value, Picture)]


def _copied(picture: Picture) -> bytes:
    """At most `KEPT_SIDE` pixels a side, encoded with loss; what is transparent stays so."""
    image = opened(picture, least=KEPT_SIDE, over=None)
    image.thumbnail((KEPT_SIDE, KEPT_SIDE))
    stream = io.BytesIO()
    image.save(stream, "JPEG" if image.mode == "RGB" else "WEBP", quality=90)
    return stream.getvalue()


def _scaled(picture: Picture, side: int) -> bytes:
    image = opened(picture, least=side)
    image.thumbnail((side, side))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
