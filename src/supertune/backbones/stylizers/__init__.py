"""Networks that paint a picture again in a style: small modules of `supertune.architectures`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supertune.backbones._modules import ModuleEngine
from supertune.contracts import Backbone, BackboneRef, Offer

SIZE = 990  # numbers of a style
WEIGHTS = 140_364  # that all styles share
RESOLUTION = 256  # pixels of the longer side of a picture, at most, while a style is tuned
POSITIONS = 4096  # what a picture of that size costs, in those of a block of width 32


def offer(styles: int) -> Offer:
    """What a network of so many styles offers."""
    return Offer(
        capabilities=frozenset({"stylize", "torch"}),
        family="encoder",
        architecture="Multistyle",
        width=32,
        depth=18,
        parameters=WEIGHTS + styles * SIZE,
        max_length=RESOLUTION,
        pooling="mean",
        modality="image",
        resolution=RESOLUTION,
        positions=POSITIONS,
    )


def _offered(ref: BackboneRef, config: Mapping[str, Any]) -> Offer:
    return offer(int(config.get("styles", 26)))


def _opened(ref: BackboneRef, config: Mapping[str, Any], threads: int | None) -> Backbone:
    from supertune.backbones.stylizers.model import StylizerBackbone

    return StylizerBackbone.load(ref, threads)


ENGINE = ModuleEngine(
    name="stylizers",
    summary="Networks that paint in a style: multistyle, from a folder or the catalogue",
    what="network of styles",
    example="multistyle",
    model_types=frozenset({"multistyle"}),
    offered=_offered,
    opened=_opened,
)
