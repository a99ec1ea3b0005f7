"""What a folder of two towers, one of pictures and one of texts, declares about itself.

CLIP (Radford et al. 2021, arXiv:2103.00020) and SigLIP (Zhai et al. 2023, arXiv:2303.15343). Sizes
come from the shapes of the weights, as configurations leave out what is their kind's default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from supertune.backbones.transformers.preprocessing import declared_side
from supertune.contracts import Offer

KINDS = {"clip", "siglip"}
VISION, TEXT = "vision_model.", "text_model."
_PATCHES = VISION + "embeddings.patch_embedding.weight"
_BLOCK = re.compile(re.escape(VISION) + r"encoder\.layers\.(\d+)\.")


def are(config: Mapping[str, Any]) -> bool:
    """Whether a configuration is that of two towers whose vectors can be compared."""
    return config.get("model_type") in KINDS and "vision_config" in config


def offer(
    config: Mapping[str, Any],
    processor: Mapping[str, Any],
    origin: Mapping[str, Any],
    shapes: Mapping[str, Sequence[int]],
) -> Offer:
    """The offer of the tower of pictures, with names where the other tower is there.

    Args:
        processor, origin, shapes: as of `declared_pictures.offer`.
    """
    width, _, patch, _ = [*shapes.get(_PATCHES, ()), 0, 0, 1, 1][:4]
    numbers = [int(block[1]) for name in shapes if (block := _BLOCK.match(name))]
    tower = config.get("vision_config") or {}
    side = int(origin.get("resolution") or declared_side(processor) or _own_side(shapes, tower))
    found = {"features", "torch", "blocks", "layers", "linears", "biases", "block_prompts"}
    if any(name.startswith(TEXT) for name in shapes):
        found |= {"names", "text_tower"}
    return Offer(
        capabilities=frozenset(found),
        family="encoder",
        architecture=str((config.get("architectures") or [config["model_type"]])[0]),
        width=width,
        depth=max(numbers, default=-1) + 1,
        parameters=sum(math.prod(shape) for shape in shapes.values()),
        max_length=max(8, (side // patch) ** 2 + 1),
        pooling="projected",
        modality="image",
        resolution=side,
    )


def _own_side(shapes: Mapping[str, Sequence[int]], tower: Mapping[str, Any]) -> int:
    """Pixels a side that its positions were made for."""
    if tower.get("image_size"):
        return int(tower["image_size"])
    positions = shapes.get(VISION + "embeddings.position_embedding.weight", (1,))[0]
    patch = shapes.get(_PATCHES, (0, 0, 1, 1))[2]
    return math.isqrt(positions) * patch  # of CLIP, without the one of the class token
