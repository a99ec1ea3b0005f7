"""Reading little-endian values one after another."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.catalogue.weights import bad_layout


class Cursor:
    """A place in ``data``; every read moves it on.

    Raises (all reads):
        InputError: ``weights_layout`` behind the end.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self.at = memoryview(data), 0

    def skip_to_multiple(self, of: int) -> None:
        self.at += -self.at % of

    def raw(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise bad_layout(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        self.at += count
        return bytes(self.data[self.at - count : self.at])

    def several(self, form: str) -> tuple[Any, ...]:
        """Values in the letters of `struct`."""
        return struct.unpack("<" + form, self.raw(struct.calcsize("<" + form)))

    def one(self, form: str) -> Any:
        return self.several(form)[0]

    def text(self, length_form: str) -> str:
        """A length and as many bytes of UTF-8."""
        return self.raw(self.one(length_form)).decode("utf-8")

    def array(self, kind: str, count: int) -> npt.NDArray[Any]:
        return np.frombuffer(self.raw(count * np.dtype(kind).itemsize), dtype=kind)


def part(data: bytes, start: int, size: int) -> memoryview:
    """``size`` bytes from ``start`` on.

    Raises:
        InputError: ``weights_layout`` where there are not as many.
    """
    if start < 0 or size < 0 or start + size > len(data):
        raise bad_layout(f"{size} bytes wanted at {start} of {len(data)}")
    return memoryview(data)[start : start + size]


def quantised(
    data: memoryview, block: int, *, offset: float, minimum: bool
) -> npt.NDArray[np.float32]:
    """Blocks of 32 four-bit weights, all of them as float32 in one row.

    A block is a float16 scale, with ``minimum`` a float16 minimum, and 16 bytes whose low halves
    are the first 16 weights and whose high halves the last: (half + offset) * scale + minimum.
    """
    rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, block)
    scale = rows[:, :2].copy().view("<f2").astype(np.float32)
    halves = rows[:, block - 16 :]
    both = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32) + offset
    both *= scale
    if minimum:
        both += rows[:, 2:4].copy().view("<f2").astype(np.float32)
    return both.reshape(-1)
