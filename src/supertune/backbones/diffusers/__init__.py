"""Pipelines that draw pictures, in the folders of ``diffusers``: Stable Diffusion and its like, and
denoisers of pixels without an autoencoder."""

from __future__ import annotations

from pathlib import Path

from supertune.contracts import Backbone, BackboneRef, Offer


class DiffusersEngine:
    """See `supertune.contracts.Engine`."""

    name = "diffusers"
    summary = "Pipelines that draw pictures: a folder with model_index.json, or a hub id"
    modalities = ("image",)
    extra: str | None = "diffusers"
    folders = True  # its backbones are folders, which the catalogue may fetch

    def knows(self, path: Path) -> bool:
        """Whether it is the one for what is at a path."""
        return (path / "model_index.json").is_file() and not (path / "config.json").is_file()

    def offers(self, ref: BackboneRef) -> Offer:
        """Raises as `declared.read`."""
        from supertune.backbones.diffusers import declared

        return declared.offer(declared.read(ref))

    def open(
        self,
        ref: BackboneRef,
        *,
        device: str,
        threads: int | None,
        precision: str = "fp32",
        packing: bool = True,
    ) -> Backbone:
        """Load it, in fp32 whatever is asked for: a pass of few noisy pictures is no faster in
        bf16 on a processor."""
        from supertune.backbones.diffusers import declared
        from supertune.backbones.diffusers.model import DiffusionBackbone

        return DiffusionBackbone.load(declared.read(ref), device=device, threads=threads)


ENGINE = DiffusersEngine()
