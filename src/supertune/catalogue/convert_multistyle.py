"""multistyle from an ONNX file, as a folder of ours; see `supertune.architectures.multistyle`."""

from __future__ import annotations

from pathlib import Path

from supertune.catalogue import onnx_file
from supertune.catalogue.weights import bad_layout, write, write_json


def convert(data: bytes, target: Path) -> None:
    """Write config.json and model.safetensors into ``target``.

    Raises:
        InputError: ``weights_layout``.
    """
    tensors = {
        name: tensor
        for name, tensor in onnx_file.read(data).tensors.items()
        if name.endswith((".w", ".gamma", ".beta"))
    }
    if "contract.0.norm.gamma" not in tensors:
        raise bad_layout("no network of styles")
    write(tensors, target)
    styles, channels = tensors["contract.0.norm.gamma"].shape
    config = {
        "architectures": ["Multistyle"],
        "model_type": "multistyle",
        "styles": styles,
        "channels": channels,
        "_name_or_path": "multistyle",
    }
    write_json(target / "config.json", config)
