"""Detectors of pictures: a small module of our own, and those of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from supertune.backbones._modules import ModuleEngine
from supertune.backbones.detectors.queries import declared
from supertune.contracts import Backbone, BackboneRef, Offer


def offer(classes: int, resolution: int) -> Offer:
    """What a NanoDet-g offers."""
    width, stages = 128, 3_295_328
    outputs = classes + 4 * 11
    head = 3 * (width * width * 9 + width + width * outputs + outputs)
    return Offer(
        capabilities=frozenset({"features", "detect", "torch"}),
        family="encoder",
        architecture="NanoDet",
        width=512,
        depth=5,
        parameters=stages + head,
        max_length=resolution,
        pooling="mean",
        modality="image",
        resolution=resolution,
    )


def _offered(ref: BackboneRef, config: dict[str, Any]) -> Offer:
    if config["model_type"] in declared.FAMILIES:
        return declared.offer(ref.folder or Path(ref.name), config)
    return offer(len(config["classes"]), int(config.get("resolution", 416)))


def _opened(ref: BackboneRef, config: dict[str, Any], threads: int | None) -> Backbone:
    if config["model_type"] in declared.FAMILIES:
        from supertune.backbones.detectors.queries.model import QueryDetector

        return QueryDetector(ref, _offered(ref, config), threads)
    from supertune.backbones.detectors.model import DetectorBackbone

    return DetectorBackbone.load(ref, threads)


ENGINE = ModuleEngine(
    name="detectors",
    summary="Detectors: nanodet-g; DETR, RT-DETR, D-FINE, YOLOS by folder or hub id",
    what="detector",
    example="nanodet-g",
    model_types=frozenset({"nanodet", *declared.FAMILIES}),
    offered=_offered,
    opened=_opened,
)
