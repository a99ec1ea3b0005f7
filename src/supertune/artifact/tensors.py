"""Named arrays as safetensors bytes and back; the same arrays always give the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.errors import InputError

Arrays = dict[str, npt.NDArray[Any]]
_KINDS = "biufc"  # numbers and booleans; never objects, which would need unpickling


def tensor_bytes(
    arrays: Mapping[str, npt.NDArray[Any]], header: Mapping[str, str] | None = None
) -> bytes:
    """A safetensors file holding ``arrays`` (any shapes), whatever their order in the mapping, with
    the texts of its ``header``.

    Raises:
        TypeError: an array holds something else than numbers or booleans.
    """
    from safetensors.numpy import save

    data = save(_plain(arrays), dict(header) if header else None)
    return _ordered(data) if header else data


def _ordered(data: bytes) -> bytes:
    """A safetensors file with the texts of its header in order; the library writes them in any."""
    end = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:end])
    head["__metadata__"] = dict(sorted(head["__metadata__"].items()))
    text = json.dumps(head, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]


def read_tensors(data: bytes, name: str) -> Arrays:
    """The arrays of a safetensors file.

    Raises:
        InputError: ``tensors_unreadable`` naming the file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(data))
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            "tensors_unreadable",
            f"{name} is not a safetensors file of numbers that NumPy knows.",
            received=f"{name}: {type(error).__name__} {error}",
            allowed="safetensors of float, integer or boolean arrays",
            next="Fit the model again.",
        ) from error


def weights_sha256(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """sha256 (hex) of names, types, shapes and values; independent of order and of file format."""
    digest = hashlib.sha256()
    for name, array in _plain(arrays).items():
        digest.update(repr((name, array.dtype.str, array.shape)).encode("utf-8"))
        digest.update(array.tobytes())
    return digest.hexdigest()


def _plain(arrays: Mapping[str, npt.NDArray[Any]]) -> Arrays:
    """Sorted by name, C-contiguous, little-endian."""
    plain: Arrays = {}
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"array '{name}' has type {array.dtype}, which is not a number")
        # ascontiguousarray would turn a scalar of shape () into shape (1,).
        plain[name] = np.array(array, dtype=array.dtype.newbyteorder("<"), order="C", copy=None)
    return plain
