"""The engine for PyTorch + Hugging Face Transformers; opened lazily, torch only when used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supertune.backbones.transformers import declared
from supertune.contracts import BackboneRef, Encoding, FloatArray, Injection, Offer
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone


class TransformersEngine:
    """Opens model folders; see `supertune.contracts.Engine`."""

    name = "transformers"
    summary = "PyTorch + Hugging Face Transformers: encoders and decoders by folder or hub id"
    modalities: tuple[str, ...] = ("text", "image", "audio")
    extra: str | None = None
    folders = True

    def offers(self, ref: BackboneRef) -> Offer:
        if ref.folder is None:
            raise InputError("backbone_not_fetched", f"{ref.name} has not been fetched yet.")
        return declared.offer(ref.folder)

    def open(
        self,
        ref: BackboneRef,
        *,
        device: str,
        threads: int | None,
        precision: str = "fp32",
        packing: bool = True,
    ) -> TransformersBackbone:
        from supertune.backbones.transformers.model import TransformersBackbone

        offer = self.offers(ref)
        if "transcribe" in offer.capabilities and offer.family == "encoder":
            from supertune.backbones.transformers.speech.ctc import CtcBackbone

            return CtcBackbone(ref, offer, device=device, threads=threads, precision=precision)
        if "transcribe" in offer.capabilities:
            from supertune.backbones.transformers.speech.model import SpeechBackbone

            return SpeechBackbone(ref, offer, device=device, threads=threads, precision=precision)
        if "translate" in offer.capabilities:
            from supertune.backbones.transformers.translation.model import TranslatorBackbone

            return TranslatorBackbone(
                ref, offer, device=device, threads=threads, precision=precision
            )
        return TransformersBackbone(
            ref, offer, device=device, threads=threads, precision=precision, packing=packing
        )

    def auto_class(self, backbone: Any) -> str:
        """What plain transformers opens the backbone with, e.g. ``"AutoModel"``."""
        from supertune.backbones.transformers import exporting

        return exporting.auto_class(backbone.model)

    def write_merged(
        self,
        ref: BackboneRef,
        offer: Offer,
        folder: Path,
        *,
        adapter: Mapping[str, Any],
        adapter_config: Mapping[str, Any] | None,
        weights: Mapping[str, Any],
    ) -> None:
        """A plain Transformers folder with tuned numbers in it; see `exporting.write_merged`."""
        from supertune.backbones.transformers import exporting

        exporting.write_merged(
            ref, offer, folder, adapter=adapter, adapter_config=adapter_config, weights=weights
        )

    def write_onnx(
        self,
        ref: BackboneRef,
        offer: Offer,
        encoding: Encoding,
        head: tuple[FloatArray, FloatArray],
        shares: str | None,
        path: Path,
    ) -> None:
        """One ONNX file with a head on top; see `onnx_graph` and `onnx_pictures`."""
        from supertune.backbones.transformers import onnx_graph, onnx_pictures

        written = onnx_pictures if offer.modality == "image" else onnx_graph
        written.write_onnx(ref, offer, encoding, head, shares, path)

    def graph_reading(self, backbone: Any, encoding: Encoding) -> dict[str, Any]:
        """What a program does with a picture before it calls the graph."""
        from supertune.backbones.transformers import onnx_pictures

        return onnx_pictures.reading(backbone, encoding)

    def adopt(
        self, backbone: Any, config: Mapping[str, Any], arrays: dict[str, Any]
    ) -> tuple[Injection, dict[str, Any], dict[str, Any]]:
        """An adapter that plain peft wrote; see `adopting.adopted`."""
        from supertune.backbones.transformers import adopting

        return adopting.adopted(backbone, config, arrays)


ENGINE = TransformersEngine()
