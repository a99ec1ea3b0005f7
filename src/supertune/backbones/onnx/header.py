"""What an ONNX file says of itself: inputs, outputs, number of weights, other files it needs.

Read from the file's bytes without onnxruntime; of weights only the shapes. Format: onnx.proto.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.catalogue.onnx_file import fields, text, varints
from supertune.errors import InputError

_GRAPH, _OPSET = 7, 8  # of ModelProto
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12  # of GraphProto
_DIMS, _KIND, _NAME, _EXTERNAL = 1, 2, 8, 13  # of TensorProto
_FLOATS = {1, 10, 11, 16}  # TensorProto.DataType: float32, float16, float64, bfloat16
_INT32, _INT64, _FLOAT16 = 6, 7, 10
_SUMMARIES = ("cls_token", "class_embedding")


@dataclass(frozen=True)
class Port:
    """An input or an output. ``shape``: a number of each axis, 0 where it is not fixed; None
    where the file says nothing of it."""

    name: str
    kind: int
    shape: tuple[int, ...] | None

    @property
    def floats(self) -> bool:
        return self.kind in _FLOATS

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers, of 32 or of 64 bits."""
        return self.kind in (_INT32, _INT64)

    @property
    def kept(self) -> str:
        """What numpy calls its numbers."""
        return {_INT32: "int32", _INT64: "int64", _FLOAT16: "float16"}.get(self.kind, "float32")


@dataclass(frozen=True)
class Header:
    """``inputs``: what has to be given; ``beside``: names of the files that hold its weights;
    ``summary``: whether one of these begins a row of patches with what stands for the whole."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameters: int
    beside: tuple[str, ...]
    summary: bool = False


def read(path: Path) -> Header:
    """The header of a file.

    Raises:
        InputError: ``not_onnx``.
    """
    try:
        with path.open("rb") as stream:
            # Closed when the last view of it is gone.
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return _header(memoryview(mapped))
    except (OSError, ValueError) as error:  # InputError is a ValueError too
        why = error.received if isinstance(error, InputError) else str(error)
        raise not_onnx(path, why or type(error).__name__) from None


def not_onnx(path: Path, why: str) -> InputError:
    return InputError(
        "not_onnx",
        f"{path.name} is no ONNX file.",
        received=why,
        allowed="a file of one graph as torch.onnx.export writes it",
        next="Export the model again, or name another backbone: `supertune backbones`.",
    )


def _header(whole: memoryview) -> Header:
    graphs, sets = [], 0
    for number, value in fields(whole):
        if number == _GRAPH:
            graphs.append(value)
        sets += number == _OPSET
    if len(graphs) != 1 or not isinstance(graphs[0], memoryview) or not sets:
        raise ValueError("no graph with a set of operations in it")
    inputs, outputs, weights = [], [], []
    beside: dict[str, None] = {}
    for number, value in fields(graphs[0]):
        if number == _INPUT:
            inputs.append(_port(value))
        elif number == _OUTPUT:
            outputs.append(_port(value))
        elif number == _INITIALIZER:
            name, kind, size, place = _weight(value)
            weights.append((name, size if kind in _FLOATS else 0))
            beside |= {place: None} if place else {}
    given = {name for name, _ in weights}  # old files list weights among the inputs
    wanted = tuple(port for port in inputs if port.name not in given)
    total = sum(size for _, size in weights)
    summary = any(name.rsplit(".", 1)[-1] in _SUMMARIES for name in given)
    return Header(wanted, tuple(outputs), total, tuple(beside), summary)


def _port(value: memoryview) -> Port:
    """ValueInfoProto: name 1, type 2; of a type the tensor 1; of it elements 1 and shape 2."""
    parts = dict(fields(value))
    tensor = dict(fields(dict(fields(parts[2])).get(1, memoryview(b"")))) if 2 in parts else {}
    shape = None
    if 2 in tensor:
        axes = (dict(fields(axis)) for number, axis in fields(tensor[2]) if number == 1)
        shape = tuple(int(axis.get(1, 0)) for axis in axes)
    return Port(text(parts[1]), int(tensor.get(1, 0)), shape)


def _weight(value: memoryview) -> tuple[str, int, int, str]:
    """Name, kind of numbers, how many, and the other file that holds them."""
    dims: list[int] = []
    found: dict[int, Any] = {_KIND: 0, _NAME: memoryview(b"")}
    place = ""
    for number, part in fields(value):
        if number == _DIMS:
            dims += list(varints(part)) if isinstance(part, memoryview) else [part]
        elif number in found:
            found[number] = part
        elif number == _EXTERNAL:
            place = dict(_pairs(part)).get("location", place)
    return text(found[_NAME]), int(found[_KIND]), math.prod(dims), place


def _pairs(value: memoryview) -> Iterator[tuple[str, str]]:
    entry = dict(fields(value))
    if 1 in entry and 2 in entry:
        yield text(entry[1]), text(entry[2])
