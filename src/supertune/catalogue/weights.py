"""Writing float32 arrays as a safetensors file whose bytes depend on nothing but the arrays.

The catalogue pins the sha256 of files that are converted here; a writer of our own keeps it true
when a library changes its layout. Format: the README of github.com/huggingface/safetensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.catalogue.entry import WEIGHTS
from supertune.errors import InputError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tensor:
    """A shape, and how to get its values: one tensor at a time is in memory as float32."""

    shape: tuple[int, ...]
    values: Callable[[], Array]


def write(tensors: Mapping[str, Tensor], folder: Path) -> None:
    """``model.safetensors`` in ``folder``, tensors by name."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name in sorted(tensors):
        shape = tensors[name].shape
        end = at + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, end]}
        at = end
    head = json.dumps(header, separators=(",", ":")).encode("utf-8")
    head += b" " * (-len(head) % 8)
    with (folder / WEIGHTS).open("wb") as stream:
        stream.write(len(head).to_bytes(8, "little"))
        stream.write(head)
        for name in sorted(tensors):
            values = np.ascontiguousarray(tensors[name].values(), dtype="<f4")
            if values.size != np.prod(tensors[name].shape):
                raise bad_layout(f"{name} has {values.size} numbers")
            stream.write(values.data)


def digest(folder: Path) -> str:
    """sha256 (hex) of a model's safetensors files, one after another in name order."""
    files = sorted(folder.glob("*.safetensors"))
    return digest_of(path for path in files if not path.name.startswith("adapter_"))


def digest_of(files: Iterable[Path]) -> str:
    """sha256 (hex) over what files hold, one after another."""
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 22):
                total.update(chunk)
    return total.hexdigest()


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")


def bad_layout(received: str) -> InputError:
    """The error for a file of weights that is not laid out as its format says."""
    return InputError(
        "weights_layout",
        "A file of weights does not have the layout of its format.",
        received=received,
        next="Report it: its sha256 was right, so its conversion is wrong.",
    )
