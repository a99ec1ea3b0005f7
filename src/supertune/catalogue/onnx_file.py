"""Reading an ONNX file: its operations and its arrays, nothing of it run.

Format: onnx.proto of the ONNX project in the wire format of protocol buffers, of which four kinds
of fields are known here. Only float32 and int64 arrays are decoded; others are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.catalogue.weights import Tensor, bad_layout

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # wire types
_KINDS = {1: "<f4", 7: "<i8"}  # TensorProto.DataType
_GRAPH = 7  # of ModelProto
_NODE, _INITIALIZER = 1, 5  # of GraphProto
_INPUT, _OUTPUT, _OPERATION, _ATTRIBUTE = 1, 2, 4, 5  # of NodeProto
_VALUE = 5  # of AttributeProto: a tensor
_DIMS, _KIND, _NAME, _RAW = 1, 2, 8, 9  # of TensorProto

Field = tuple[int, Any]


@dataclass(frozen=True)
class Node:
    """One operation by name, with the names of what goes in and comes out."""

    operation: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Onnx:
    """``tensors``: initialisers, and what operations named Constant give, by name."""

    nodes: tuple[Node, ...]
    tensors: dict[str, Tensor]


def read(data: bytes) -> Onnx:
    """The graph of a model; a tensor's values are decoded when they are asked for.

    Raises:
        InputError: ``weights_layout``.
    """
    graphs = [value for number, value in fields(memoryview(data)) if number == _GRAPH]
    if len(graphs) != 1 or not isinstance(graphs[0], memoryview):
        raise bad_layout("no ONNX file of one graph")
    nodes: list[Node] = []
    tensors: dict[str, Tensor] = {}
    for number, value in fields(graphs[0]):
        if number == _INITIALIZER:
            tensors |= _tensor(value)
        elif number == _NODE:
            node, held = _node(value)
            nodes.append(node)
            if node.operation == "Constant" and held is not None:
                tensors |= _tensor(held, node.outputs[0])
    return Onnx(tuple(nodes), tensors)


def _node(value: memoryview) -> tuple[Node, memoryview | None]:
    """An operation, and the tensor among its attributes."""
    found: dict[int, list[str]] = {_INPUT: [], _OUTPUT: [], _OPERATION: []}
    held: memoryview | None = None
    for number, part in fields(value):
        if number in found:
            found[number].append(text(part))
        elif number == _ATTRIBUTE:
            tensors = (inner for kind, inner in fields(part) if kind == _VALUE)
            held = next(tensors, held)
    operation = next(iter(found[_OPERATION]), "")
    return Node(operation, tuple(found[_INPUT]), tuple(found[_OUTPUT])), held


def _tensor(value: memoryview, name: str = "") -> dict[str, Tensor]:
    """A tensor by its own name or by ``name``; nothing where its numbers are of another kind."""
    dims: list[int] = []
    kind, raw = 0, None
    for number, part in fields(value):
        if number == _DIMS:
            dims += list(varints(part)) if isinstance(part, memoryview) else [part]
        elif number == _KIND:
            kind = part
        elif number == _NAME:
            name = name or text(part)
        elif number == _RAW:
            raw = part
    if kind not in _KINDS or raw is None:
        return {}
    shape = tuple(dims)
    if len(raw) != np.dtype(_KINDS[kind]).itemsize * int(np.prod(shape)):
        raise bad_layout(f"{name} has {len(raw)} bytes for {shape}")
    return {name: Tensor(shape, partial(_decoded, raw, _KINDS[kind], shape))}


def _decoded(raw: memoryview, kind: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    return np.frombuffer(raw, dtype=kind).reshape(shape)


def text(value: Any) -> str:
    if not isinstance(value, memoryview):
        raise bad_layout("a number where a name belongs")
    return bytes(value).decode("utf-8", "replace")


def fields(message: memoryview) -> Iterator[Field]:
    """Number and value of each field of a message: an integer or bytes."""
    if not isinstance(message, memoryview):
        raise bad_layout("a number where a message belongs")
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in (_EIGHT, _FOUR):
            size = 8 if kind == _EIGHT else 4
        else:
            raise bad_layout(f"a field of wire type {kind}")
        if at + size > len(message):
            raise bad_layout(f"{size} bytes wanted at {at} of {len(message)}")
        yield key >> 3, message[at : at + size]
        at += size


def varints(packed: memoryview) -> Iterator[int]:
    at = 0
    while at < len(packed):
        value, at = _varint(packed, at)
        yield value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and the place behind it."""
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise bad_layout(f"a number without end at {at} of {len(message)}")
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
