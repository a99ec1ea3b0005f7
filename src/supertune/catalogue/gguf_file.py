"""Reading a GGUF file: its settings, and its tensors as float32.

Format: docs/gguf.md of the ggml project. Three kinds of tensors: F32, Q4_0/Q4_1 and Q8_0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.catalogue.binary import Cursor, part, quantised
from supertune.catalogue.weights import Tensor, bad_layout

Array = npt.NDArray[Any]
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_SCALARS[12] = "d"
_TEXT, _LIST = 8, 9
_F32, _Q4_0, _Q4_1, _Q8_0 = 0, 2, 3, 8
_BLOCK = {_Q4_0: 18, _Q4_1: 20, _Q8_0: 34}  # bytes of 32 weights


@dataclass(frozen=True)
class Gguf:
    """``settings`` by their dotted names; ``tensors`` with rows first, as PyTorch has them."""

    settings: dict[str, Any]
    tensors: dict[str, Tensor]


def read(data: bytes) -> Gguf:
    """The whole file; a tensor's values are decoded when they are asked for.

    Raises:
        InputError: ``weights_layout``.
    """
    cursor = Cursor(data)
    if cursor.raw(4) != b"GGUF" or cursor.one("I") not in (2, 3):
        raise bad_layout("no GGUF file of version 2 or 3")
    tensor_count, setting_count = cursor.several("QQ")
    settings = {}
    for _ in range(setting_count):
        name = cursor.text("Q")
        settings[name] = _value(cursor, cursor.one("I"))
    heads = [_head(cursor) for _ in range(tensor_count)]
    cursor.skip_to_multiple(settings.get("general.alignment", 32))
    start = cursor.at
    tensors = {
        name: Tensor(shape, partial(_decoded, data, kind, start + offset, shape))
        for name, kind, offset, shape in heads
    }
    return Gguf(settings, tensors)


def _value(cursor: Cursor, kind: int) -> Any:
    if kind in _SCALARS:
        return cursor.one(_SCALARS[kind])
    if kind == _TEXT:
        return cursor.text("Q")
    if kind == _LIST:
        inner, count = cursor.several("IQ")
        return [_value(cursor, inner) for _ in range(count)]
    raise bad_layout(f"a setting of kind {kind}")


def _head(cursor: Cursor) -> tuple[str, int, int, tuple[int, ...]]:
    name = cursor.text("Q")
    shape = cursor.several(f"{cursor.one('I')}Q")
    kind, offset = cursor.several("IQ")
    return name, kind, offset, tuple(reversed(shape))


def _decoded(data: bytes, kind: int, start: int, shape: tuple[int, ...]) -> Array:
    count = int(np.prod(shape))
    if kind == _F32:
        return np.frombuffer(part(data, start, 4 * count), dtype="<f4").reshape(shape)
    if kind not in _BLOCK or count % 32:
        raise bad_layout(f"a tensor of kind {kind} and {count} numbers")
    blocks = part(data, start, count // 32 * _BLOCK[kind])
    if kind == _Q8_0:
        rows = np.frombuffer(blocks, dtype=np.int8).reshape(-1, _BLOCK[kind])
        scale = rows[:, :2].copy().view("<f2").astype(np.float32)
        return (rows[:, 2:].astype(np.float32) * scale).reshape(shape)
    if kind == _Q4_0:
        return quantised(blocks, _BLOCK[kind], offset=-8.0, minimum=False).reshape(shape)
    return quantised(blocks, _BLOCK[kind], offset=0.0, minimum=True).reshape(shape)
