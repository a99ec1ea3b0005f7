"""Weights of an ONNX graph in 8 bits.

Of matrix products and tables as onnxruntime makes them, which multiplies whole numbers then. Of
convolutions the weights alone, a scale a channel: they are multiplied as they were, since whole
numbers took onnxruntime nine times as long and moved probabilities by up to .35 (docs/log.md).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

_LEAST = 1024  # weights of a convolution that are worth a scale a channel
_MOST = 127


def put(graph: Path) -> None:
    """Rewrite a graph file so."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    small = graph.with_name("int8.onnx")
    with _quiet():
        quantize_dynamic(
            str(graph),
            str(small),
            op_types_to_quantize=["MatMul", "Gather"],
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
    made = onnx.load(str(small))
    _convolutions(made.graph)
    onnx.save(made, str(small))
    small.replace(graph)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without its advice to all users, which it gives through the root of logging."""
    root, held = logging.getLogger(), logging.NullHandler()  # without any it would add its own
    level = root.level
    root.addHandler(held)
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(held)


def _convolutions(graph: Any) -> None:
    from onnx import numpy_helper

    known = {weight.name: weight for weight in graph.initializer}
    nodes, done = [], set()
    for node in graph.node:
        name = node.input[1] if node.op_type == "Conv" else ""
        values = numpy_helper.to_array(known[name]) if name in known else np.zeros(0)
        if values.dtype == np.float32 and values.size >= _LEAST:
            if name not in done:
                nodes.append(_scaled(graph, name, values))
                done.add(name)
            node.input[1] = f"{name}_whole"
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    read = {name for node in graph.node for name in node.input}
    kept = [weight for name, weight in known.items() if name not in done or name in read]
    added = graph.initializer[len(known) :]
    del graph.initializer[:]
    graph.initializer.extend([*kept, *added])


def _scaled(graph: Any, name: str, values: Any) -> Any:
    """The node that makes ``{name}_whole`` of weights (channels, ...) in 8 bits."""
    from onnx import helper, numpy_helper

    most = np.abs(values).reshape(len(values), -1).max(axis=1)
    scale = np.where(most > 0, most / _MOST, 1).astype(np.float32)
    whole = np.rint(values / scale.reshape(-1, *(1,) * (values.ndim - 1))).astype(np.int8)
    parts = {f"{name}_8": whole, f"{name}_scale": scale}
    graph.initializer.extend(numpy_helper.from_array(one, n) for n, one in parts.items())
    return helper.make_node("DequantizeLinear", [*parts], [f"{name}_whole"], axis=0)
