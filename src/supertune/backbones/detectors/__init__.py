"""Detectors of pictures: a small module of our own, and those of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from supertune.backbones import _modules
from supertune.backbones.detectors.queries import declared
from supertune.contracts import Backbone, BackboneRef, Offer

MODELS = ("nanodet", *declared.FAMILIES)


class Detectors:
    """See `supertune.contracts.Engine`."""

    name = "detectors"
    summary = "Detectors: nanodet-g; DETR, RT-DETR, D-FINE, YOLOS by folder or hub id"
    modalities = ("image",)
    extra: str | None = "vision"
    folders = True  # its backbones are folders, which the catalogue may fetch
    model_types = frozenset(MODELS)

    def offers(self, ref: BackboneRef) -> Offer:
        config = _config(ref)
        if config["model_type"] in declared.FAMILIES:
            return declared.offer(ref.folder or Path(ref.name), config)
        return offer(len(config["classes"]), int(config.get("resolution", 416)))

    def open(
        self,
        ref: BackboneRef,
        *,
        device: str,
        threads: int | None,
        precision: str = "fp32",
        packing: bool = True,
    ) -> Backbone:
        """Load it; always in fp32 on the processor, where it is fastest for what it is."""
        if _config(ref)["model_type"] in declared.FAMILIES:
            from supertune.backbones.detectors.queries.model import QueryDetector

            return QueryDetector(ref, self.offers(ref), threads)
        from supertune.backbones.detectors.model import DetectorBackbone

        return DetectorBackbone.load(ref, threads)


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


def _config(ref: BackboneRef) -> dict[str, Any]:
    return _modules.config(ref, MODELS, what="detector", example="nanodet-g", engine="detectors")


ENGINE = Detectors()
