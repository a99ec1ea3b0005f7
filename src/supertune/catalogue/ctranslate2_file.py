"""The variables of a CTranslate2 model file, version 6.

Layout: the version, the specification's name and revision, then each variable: its name, the number
of its sides and these, the kind of number, how many bytes, the bytes; last pairs of an alias and
what it stands for. Names are as long as 16 bits say, with a zero at their end.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from supertune.catalogue.binary import Cursor
from supertune.catalogue.weights import Tensor, bad_layout

_KINDS = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}


def read(data: bytes) -> tuple[str, dict[str, Tensor]]:
    """The specification's name, and its variables by name, as float32 once asked for.

    Raises:
        InputError: ``weights_layout``.
    """
    cursor = Cursor(data)
    if (version := cursor.one("I")) != 6:
        raise bad_layout(f"version {version} of CTranslate2's layout")
    specification = _name(cursor)
    cursor.one("I")
    tensors = dict(_variable(cursor) for _ in range(cursor.one("I")))
    for _ in range(cursor.one("I")):
        alias, original = _name(cursor), _name(cursor)
        if original not in tensors:
            raise bad_layout(f"{alias} stands for {original}, which is not there")
        tensors[alias] = tensors[original]
    return specification, tensors


def _name(cursor: Cursor) -> str:
    return cursor.text("H").rstrip("\0")


def _variable(cursor: Cursor) -> tuple[str, Tensor]:
    name = _name(cursor)
    shape = cursor.several("I" * cursor.one("B"))
    code, size = cursor.one("B"), cursor.one("I")
    kind = _KINDS.get(code, "<f4")
    wanted = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
    if code not in _KINDS or size != wanted:
        raise bad_layout(f"{name} of kind {code} and shape {list(shape)} has {size} bytes")
    return name, Tensor(shape, partial(_values, cursor.raw(size), kind, shape))


def _values(data: bytes, kind: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return np.frombuffer(data, dtype=kind).astype(np.float32).reshape(shape)
