"""What enters the cut for every piece of the rows, kept for the whole of a fit, and replayed.

Kept in memory up to `MEMORY`; beyond that in a temporary file of at most the share `SPARE` of
what its disk has free; beyond that computed anew each time it is asked for, with the same bits.
20,000 pieces of 256 tokens of width 384 are 7.9 GB: 1 GiB in memory and 6.8 GB in the file.
Activations that are whole numbers of bfloat16, as a backbone run in bfloat16 gives, take half.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from supertune import limits
from supertune.contracts import FloatArray, Lens

MEMORY = 2**30  # bytes of activations that one fit holds in memory
SHARE = 0.3  # of the memory that there is room for
SPARE = 0.5  # of the free room of the disk with the temporary files
CHUNK = 256  # pieces asked of the lens at a time

Array = npt.NDArray[Any]
Fetch = Callable[[], FloatArray]


class Replay:
    """What enters block ``cut`` for each of ``pieces``, by number.

    Args:
        lens: computes it or has it in its cache.
        memory, disk: bounds in bytes; ``memory`` None: `MEMORY`, less where memory is short,
            ``disk`` None: a share of what is free.
        sharers: how many of these share the memory.
        dropped: ``dropout`` and ``draw`` of `Lens.activations`, if it varies.
    """

    def __init__(
        self,
        lens: Lens,
        pieces: Sequence[Any],
        cut: int,
        *,
        memory: int | None = None,
        sharers: int = 1,
        disk: int | None = None,
        **dropped: Any,
    ) -> None:
        self._lens, self._pieces, self._cut = lens, pieces, cut
        self._dropped = dropped
        room = min(MEMORY, int(SHARE * limits.room())) // sharers
        self._memory = room if memory is None else memory
        self._disk = disk
        self._file: IO[bytes] | None = None
        self._kept: list[Array | tuple[int, tuple[int, ...], Any] | None] = []
        self.held = self.written = 0  # bytes in memory and in the file
        for start in range(0, len(pieces), CHUNK):
            for array in lens.activations(pieces[start : start + CHUNK], cut, **dropped):
                self._keep(_compact(array))

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, number: int) -> FloatArray:
        """(tokens, d) float32; not to be written to."""
        kept = self._kept[number]
        if kept is None:
            piece = [self._pieces[number]]
            return self._lens.backbone.activations(piece, self._cut, **self._dropped)[0]
        if isinstance(kept, tuple):
            assert self._file is not None
            place, shape, kind = kept
            self._file.seek(place)
            size = int(np.prod(shape)) * np.dtype(kind).itemsize
            kept = np.frombuffer(self._file.read(size), dtype=kind).reshape(shape)
        return _full(kept)

    def padded(self, numbers: Sequence[int]) -> FloatArray:
        """(pieces, longest, d) float32, zeros behind the shorter; of maps (pieces, d, h, w)."""
        found = [self[number] for number in numbers]
        if found[0].ndim > 2:
            return np.stack(found)
        width = max(len(array) for array in found)
        made = np.zeros((len(found), width, found[0].shape[1]), dtype=np.float32)
        for row, array in zip(made, found, strict=True):
            row[: len(array)] = array
        return made

    def _keep(self, array: Array) -> None:
        if self.held + array.nbytes <= self._memory:
            self._kept.append(array)
            self.held += array.nbytes
            return
        try:
            self._kept.append(self._write(array))
        except OSError:  # no room or no folder: slower, not wrong
            self._kept.append(None)

    def _write(self, array: Array) -> tuple[int, tuple[int, ...], Any] | None:
        if self._file is None:
            # Its name is gone at once where the system allows it, and else when it is closed.
            self._file = tempfile.TemporaryFile(prefix="supertune-", buffering=0)  # noqa: SIM115
            weakref.finalize(self, self._file.close)
            if self._disk is None:
                self._disk = int(SPARE * shutil.disk_usage(tempfile.gettempdir()).free)
        if self.written + array.nbytes > (self._disk or 0):
            return None
        place = self._file.seek(self.written)
        if self._file.write(array.tobytes()) != array.nbytes:
            return None
        self.written += array.nbytes
        return place, array.shape, array.dtype


def _compact(array: FloatArray) -> Array:
    """Upper halves of float32 numbers whose lower halves are all zero; else the array."""
    if array.dtype != np.float32:
        return array
    bits = np.ascontiguousarray(array).view(np.uint32)
    return array if (bits & 0xFFFF).any() else (bits >> 16).astype(np.uint16)


def _full(array: Array) -> FloatArray:
    if array.dtype != np.uint16:
        return array
    return (array.astype(np.uint32) << 16).view(np.float32)
