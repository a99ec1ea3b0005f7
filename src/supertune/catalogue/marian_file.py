"""Reading Marian's binary file of weights: named tensors of float32 or int8.

Layout: two u64, the version and the number n of tensors; n headers of four u64 (length of the name,
type, number of dimensions, bytes); the names; the shapes; padding; the values. An int8 tensor has a
float32 behind its values, by which they were multiplied before they were rounded, and lies with its
columns first, but for the table of words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.catalogue.binary import Cursor, part
from supertune.catalogue.weights import Tensor, bad_layout

_TEXT, _FLOAT, _INT8 = 0x101, 0x404, 0x4101
_WORDS = "Wemb"
_SETTINGS = "special:model.yml"
_SCALE = "_QuantMultA"


@dataclass(frozen=True)
class Marian:
    """``settings`` as the file has them; ``scales`` of activations, by the weights they meet."""

    settings: dict[str, str]
    tensors: dict[str, Tensor]
    scales: dict[str, float]


def read(data: bytes) -> Marian:
    """The whole file; a tensor's values are decoded when they are asked for.

    Raises:
        InputError: ``weights_layout``.
    """
    cursor = Cursor(data)
    version, count = cursor.several("QQ")
    if version != 1 or not 0 < count < 100_000:
        raise bad_layout("no binary file of Marian")
    headers = [cursor.several("4Q") for _ in range(count)]
    names = [cursor.raw(one[0]).rstrip(b"\0").decode("utf-8", "replace") for one in headers]
    shapes = [tuple(int(size) for size in cursor.array("<i4", one[2])) for one in headers]
    cursor.raw(cursor.one("Q"))
    settings, tensors, scales = {}, {}, {}
    for (_, kind, _, size), name, shape in zip(headers, names, shapes, strict=True):
        values = part(data, cursor.at, size)
        cursor.at += size
        if name == _SETTINGS:
            settings = _said(bytes(values))
        elif name.endswith(_SCALE):
            # The one number stands in front of a float32's padding, or behind an int8.
            at = 1 if kind == _INT8 else 0
            scales[name.removesuffix(_SCALE)] = float(_floats(values, at, 1)[0])
        elif kind in (_FLOAT, _INT8):
            tensors[name] = Tensor(shape, partial(_decoded, values, kind, shape, name == _WORDS))
        elif kind != _TEXT:
            raise bad_layout(f"{name} of the type {kind:#x}")
    return Marian(settings, tensors, scales)


def _decoded(
    values: memoryview, kind: int, shape: tuple[int, ...], straight: bool
) -> npt.NDArray[Any]:
    count = math.prod(shape)
    if kind == _FLOAT:
        return _floats(values, 0, count).reshape(shape)
    scale = _floats(values, count, 1)[0]
    whole = np.frombuffer(values[:count], dtype=np.int8).astype(np.float32) / scale
    found: npt.NDArray[Any] = whole.reshape(shape if straight else shape[::-1])
    return found if straight else found.T


def _floats(values: memoryview, at: int, count: int) -> npt.NDArray[Any]:
    if at + 4 * count > len(values):
        raise bad_layout(f"{len(values)} bytes for {count} numbers")
    found: npt.NDArray[Any] = np.frombuffer(values[at : at + 4 * count], dtype="<f4")
    return found


def _said(data: bytes) -> dict[str, str]:
    """The settings of one line each; lists are left out."""
    lines = data.rstrip(b"\0").decode("utf-8", "replace").splitlines()
    pairs = (
        line.split(":", 1) for line in lines if ":" in line and not line.startswith((" ", "-"))
    )
    return {name.strip(): value.strip() for name, value in pairs}
