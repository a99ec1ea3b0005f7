"""What a folder of a transformers detector declares about itself, read without torch or a weight.

Its numbered blocks are the layers of its decoder, which all read what the encoder gives, so that
is what is kept of a view: backbone and encoder together are the trunk, which is run once. YOLOS
has no decoder; its blocks are those of its vision transformer, each of them a place to cut at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from supertune.backbones.transformers.declared import weight_files
from supertune.backbones.transformers.preprocessing import declared_side
from supertune.contracts import Offer
from supertune.errors import InputError

USUAL = 640  # pixels a side where nothing is declared
COARSEST = 32  # pixels of a picture for each place of the coarsest map
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Family:
    """How an architecture is put together; names are dotted, from the whole model.

    Attributes:
        entered: what a run resumes from: what the ``encoder`` gives as tokens or as several
            ``maps``, or the hidden states that enter a ``block``.
        blocks: the list of numbered blocks.
        heads: what is learned anew for classes of its own.
        rows: those of them whose last linear layer has one row a class.
        nothing: whether a further row stands for no class, and chances are a softmax.
    """

    entered: Literal["encoder", "maps", "block"]
    blocks: str
    heads: tuple[str, ...]
    rows: tuple[str, ...]
    nothing: bool


_CLASSES, _BOXES = "class_labels_classifier", "bbox_predictor"
_TWO_STAGE = Family(
    "maps",
    "model.decoder.layers",
    (
        "model.decoder.class_embed",
        "model.decoder.bbox_embed",
        "model.enc_score_head",
        "model.enc_bbox_head",
    ),
    ("model.decoder.class_embed", "model.enc_score_head"),
    False,
)
FAMILIES: Mapping[str, Family] = {
    "detr": Family("encoder", "model.decoder.layers", (_CLASSES, _BOXES), (_CLASSES,), True),
    "conditional_detr": Family(
        "encoder", "model.decoder.layers", (_CLASSES, _BOXES), (_CLASSES,), False
    ),
    "rt_detr": _TWO_STAGE,
    "rt_detr_v2": _TWO_STAGE,
    "d_fine": _TWO_STAGE,
    "yolos": Family("block", "vit.encoder.layer", (_CLASSES, _BOXES), (_CLASSES,), True),
}


def offer(folder: Path, config: Mapping[str, Any]) -> Offer:
    """The offer of a folder, from its JSON files and the headers of its weights.

    Raises:
        InputError: ``needs_timm``, ``pickled_weights``, ``weights_missing``.
    """
    kind = str(config["model_type"])
    _refuse_timm(folder, config)
    if FAMILIES[kind].entered == "block":
        depth, width = int(config["num_hidden_layers"]), int(config["hidden_size"])
    else:
        depth, width = int(config.get("decoder_layers") or 6), int(config.get("d_model") or 256)
    side = _fixed(config) or declared_side(processor(folder)) or USUAL
    return Offer(
        capabilities=frozenset({"detect", "blocks", "linears", "torch"}),
        family="encoder",
        architecture=str((config.get("architectures") or [kind])[0]),
        width=width,
        depth=depth,
        parameters=_parameters(folder),
        max_length=side,
        pooling="mean",
        modality="image",
        resolution=side,
    )


def grain(config: Mapping[str, Any]) -> int:
    """Pixels that the side of a view is a multiple of; a fixed side is its own."""
    fixed = _fixed(config)
    if fixed:
        return fixed
    return int(config["patch_size"]) if config["model_type"] == "yolos" else COARSEST


def names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes that it knows, by their place."""
    given = {int(place): str(name) for place, name in dict(config.get("id2label") or {}).items()}
    return tuple(given.get(place, f"class {place}") for place in range(max(given, default=-1) + 1))


def processor(folder: Path) -> dict[str, Any]:
    """The content of ``preprocessor_config.json``; empty where there is none."""
    try:
        found = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def scaling(kind: str, folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What is taken from a value from 0 to 255 of each channel, and what it is divided by."""
    given = processor(folder)
    two_stage = FAMILIES[kind].entered == "maps"  # trained on values from 0 to 1 as they are
    if given.get("do_normalize", not two_stage):
        mean, spread = given.get("image_mean", IMAGENET[0]), given.get("image_std", IMAGENET[1])
    else:
        mean, spread = (0.0,) * 3, (1.0,) * 3
    whole = 1.0 / float(given.get("rescale_factor") or 1 / 255)
    return tuple(whole * float(one) for one in mean), tuple(whole * float(one) for one in spread)


def _fixed(config: Mapping[str, Any]) -> int:
    """The one side that a model can read, where its anchors were made for it; 0 for any."""
    size = config.get("anchor_image_size") or 0
    return int(size if isinstance(size, int | float) else size[0])


def _parameters(folder: Path) -> int:
    from safetensors import safe_open

    total = 0
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="numpy") as stream:
                total += sum(math.prod(stream.get_slice(n).get_shape()) for n in stream.keys())  # noqa: SIM118
        except Exception as error:
            raise InputError(
                "weights_unreadable",
                f"{path.name} is not a safetensors file.",
                received=type(error).__name__,
                next="Fetch the backbone again.",
            ) from error
    return total


def _refuse_timm(folder: Path, config: Mapping[str, Any]) -> None:
    inner = config.get("backbone_config")
    given = str(inner.get("model_type")) if isinstance(inner, Mapping) else ""
    undeclared = not inner and config["model_type"] in ("detr", "conditional_detr")
    usual = undeclared and config.get("use_timm_backbone", True)
    if usual or config.get("use_timm_backbone") or given == "timm_backbone":
        raise InputError(
            "needs_timm",
            f"The convolutional part of {folder.name} is one of timm's, which is not used here.",
            received=f"backbone {config.get('backbone') or given or 'of timm'}",
            allowed="a detector whose backbone_config is one of transformers' own, such as "
            "rt_detr_resnet, hgnet_v2 or resnet",
            next="Choose PekingU/rtdetr_r18vd, ustc-community/dfine-nano-coco, hustvl/yolos-tiny, "
            "or a copy that was saved with a backbone of transformers.",
        )
