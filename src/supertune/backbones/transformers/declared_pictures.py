"""What a folder of a model of pictures declares about itself, read without torch or any weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from supertune.backbones.transformers.preprocessing import declared_side
from supertune.contracts import Offer, Pooling

# Types whose numbered blocks are stages of a convolutional network, each given maps alone.
_STAGES = {"convnext", "convnextv2", "regnet", "resnet"}
# Those whose single blocks are numbered.
_MAPS = {"efficientnet_lite"}
# Types whose blocks are told where a patch lies by what was made for its usual number of patches.
_RELATIVE = {"beit", "data2vec-vision", "swin", "swinv2", "maxvit"}
# Pretrained without labels, where the mean of the patches says much beside the class token.
_BOTH = {"dinov2", "dinov2_with_registers"}
# Where pictures are read in windows that lower stages merge.
_WINDOWS = {"swin", "swinv2", "maxvit", "focalnet"}


def is_of_pictures(config: Mapping[str, Any]) -> bool:
    """Whether a configuration is that of a model that reads pictures and nothing else."""
    words = {"max_position_embeddings", "text_config", "audio_config"} & set(config)
    return not words and bool({"num_channels", "image_size"} & set(config))


def offer(
    config: Mapping[str, Any],
    processor: Mapping[str, Any],
    origin: Mapping[str, Any],
    shapes: Mapping[str, Sequence[int]],
    biases: bool,
) -> Offer:
    """The offer of a model of pictures.

    Args:
        processor: the content of ``preprocessor_config.json``.
        origin: what the catalogue noted about how the model is best read: ``pooling``, ``layer``,
            ``resolution`` and ``resize_mode``.
        shapes: of the arrays of its weights, by name.
        biases: whether the linear layers of its blocks have them.
    """
    kind = str(config.get("model_type", ""))
    depth, width = _depth(config), _width(config)
    side = int(origin.get("resolution") or declared_side(processor) or _own_side(config))
    positions = max(1, (side // _grain(config)) ** 2)
    summary = any(name.rsplit(".", 1)[-1] in ("cls_token", "class_embedding") for name in shapes)
    return Offer(
        capabilities=_capabilities(kind, depth, biases),
        family="encoder",
        architecture=str((config.get("architectures") or [kind or "model"])[0]),
        width=width,
        depth=depth,
        parameters=sum(math.prod(shape) for shape in shapes.values()),
        max_length=max(8, positions + 1),
        pooling=origin.get("pooling") or pooling(kind, summary),
        modality="image",
        resolution=side,
        layer=origin.get("layer"),
        resize_mode=origin.get("resize_mode"),
    )


def _capabilities(kind: str, depth: int, biases: bool) -> frozenset[str]:
    found = {"features", "torch"}
    if depth and kind not in _WINDOWS:
        found |= {"blocks", "layers"}
        if kind not in _STAGES | _MAPS:
            found.add("linears")
        if kind not in _RELATIVE | _STAGES | _MAPS:
            found.add("block_prompts")
    if biases:
        found.add("biases")
    return frozenset(found)


def _depth(config: Mapping[str, Any]) -> int:
    """Numbered blocks, or stages where these are what is numbered."""
    stages = config.get("depths") or config.get("hidden_sizes")
    if stages:
        return len(stages)
    return int(config.get("num_hidden_layers") or 0)


def _width(config: Mapping[str, Any]) -> int:
    if config.get("hidden_size"):
        return int(config["hidden_size"])
    sizes = config.get("hidden_sizes") or [0]
    return int(sizes[-1])


def pooling(kind: str, summary: bool) -> Pooling:
    """How vectors are made of hidden states; ``summary``: whether one stands for the whole."""
    if not summary:
        return "mean"
    return "cls_mean" if kind in _BOTH else "cls"


def _own_side(config: Mapping[str, Any]) -> int:
    size = config.get("image_size") or 224
    return int(size if isinstance(size, int) else size[0])


def _grain(config: Mapping[str, Any]) -> int:
    """Pixels a side of what makes one hidden state at the top."""
    patch = config.get("patch_size") or 0
    patch = patch if isinstance(patch, int) else patch[0]
    return 32 if not patch or config.get("depths") else int(patch)
