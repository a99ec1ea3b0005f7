"""The engine for PyTorch + Hugging Face Transformers; opened lazily, torch only when used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supertune.backbones.transformers import declared
from supertune.contracts import BackboneRef, Offer
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone


class TransformersEngine:
    """Opens model folders; see `supertune.contracts.Engine`."""

    name = "transformers"
    summary = "PyTorch + Hugging Face Transformers: encoders and decoders by folder or hub id"
    modality = "text"
    extra: str | None = None

    def offers(self, ref: BackboneRef) -> Offer:
        if ref.folder is None:
            raise InputError("backbone_not_fetched", f"{ref.name} has not been fetched yet.")
        return declared.offer(ref.folder)

    def open(self, ref: BackboneRef, *, device: str, threads: int | None) -> TransformersBackbone:
        from supertune.backbones.transformers.model import TransformersBackbone

        return TransformersBackbone(ref, self.offers(ref), device=device, threads=threads)


ENGINE = TransformersEngine()
