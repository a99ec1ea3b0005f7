"""Networks that paint a picture again in a style: small modules of `supertune.architectures`."""

from __future__ import annotations

from typing import Any

from supertune.backbones import _modules
from supertune.contracts import Backbone, BackboneRef, Offer

MODELS = ("multistyle",)
SIZE = 990  # numbers of a style
WEIGHTS = 140_364  # that all styles share
RESOLUTION = 256  # pixels of the longer side of a picture, at most, while a style is tuned
POSITIONS = 4096  # what a picture of that size costs, in those of a block of width 32


class Stylizers:
    """See `supertune.contracts.Engine`."""

    name = "stylizers"
    summary = "Networks that paint in a style: multistyle, from a folder or the catalogue"
    modalities = ("image",)
    extra: str | None = "vision"
    folders = True  # its backbones are folders, which the catalogue may fetch

    def offers(self, ref: BackboneRef) -> Offer:
        return offer(int(config(ref).get("styles", 26)))

    def open(
        self,
        ref: BackboneRef,
        *,
        device: str,
        threads: int | None,
        precision: str = "fp32",
        packing: bool = True,
    ) -> Backbone:
        """Load it; always in fp32 on the processor."""
        from supertune.backbones.stylizers.model import StylizerBackbone

        config(ref)
        return StylizerBackbone.load(ref, threads)


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


def config(ref: BackboneRef) -> dict[str, Any]:
    """See `supertune.backbones._modules.config`."""
    return _modules.config(
        ref, MODELS, what="network of styles", example="multistyle", engine="stylizers"
    )


ENGINE = Stylizers()
