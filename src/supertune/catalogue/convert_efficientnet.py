"""efficientnet-lite0 from a PyTorch file, read without running anything, as a folder of ours.

The file has the names of github.com/lukemelas/EfficientNet-PyTorch; the architecture is
`supertune.architectures.efficientnet_lite`. The classifier of ImageNet is left out.
"""

from __future__ import annotations

import io
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from supertune.catalogue.convert_dinov2 import preprocessor
from supertune.catalogue.weights import Tensor, bad_layout, write, write_json

SIDE = 224
_OUTSIDE = {
    "_conv_stem": "stem.convolution",
    "_bn0": "stem.normalization",
    "_conv_head": "head.convolution",
    "_bn1": "head.normalization",
}
_INSIDE = {
    "_expand_conv": "expand.convolution",
    "_bn0": "expand.normalization",
    "_depthwise_conv": "depthwise.convolution",
    "_bn1": "depthwise.normalization",
    "_project_conv": "project.convolution",
    "_bn2": "project.normalization",
}
_UNREAD = ("_fc.", "num_batches_tracked")


def convert(data: bytes, target: Path) -> None:
    """Write config.json, preprocessor_config.json and model.safetensors into ``target``.

    Raises:
        InputError: ``weights_layout``.
    """
    import torch

    from supertune.architectures.efficientnet_lite import STAGES, blocks_of

    try:
        # The package has no other file; tensors alone are read, nothing is run.
        read = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise bad_layout(f"{type(error).__name__} on reading a PyTorch file") from error
    tensors = {
        _name(name): Tensor(tuple(tensor.shape), partial(_values, tensor))
        for name, tensor in read.items()
        if not any(part in name for part in _UNREAD)
    }
    write(tensors, target)
    stem = tensors["stem.convolution.weight"].shape[0]
    config = {
        "architectures": ["EfficientNetLiteModel"],
        "model_type": "efficientnet_lite",
        "block_args": blocks_of(STAGES, stem),
        "stem_channels": stem,
        "hidden_size": tensors["head.convolution.weight"].shape[0],
        "num_hidden_layers": sum(repeats for repeats, *_ in STAGES),
        "num_channels": 3,
        "image_size": SIDE,
        "batch_norm_eps": 1e-3,
        "_name_or_path": "efficientnet-lite0",
    }
    write_json(target / "config.json", config)
    write_json(target / "preprocessor_config.json", preprocessor(SIDE))


def _values(tensor: Any) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = tensor.float().numpy()
    return array


def _name(name: str) -> str:
    inside = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
    if inside is not None and inside[2] in _INSIDE:
        return f"blocks.{inside[1]}.{_INSIDE[inside[2]]}.{inside[3]}"
    part, _, kind = name.rpartition(".")
    if part not in _OUTSIDE:
        raise bad_layout(f"an array named {name}")
    return f"{_OUTSIDE[part]}.{kind}"
