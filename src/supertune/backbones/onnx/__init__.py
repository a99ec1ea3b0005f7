"""The engine for ONNX files of encoders of texts and of pictures, by onnxruntime; no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from supertune.contracts import BackboneRef, Offer

if TYPE_CHECKING:
    from supertune.backbones.onnx.model import OnnxBackbone


class OnnxEngine:
    """See `supertune.contracts.Engine`. A backbone is a file, or the folder that it is in."""

    name = "onnx"
    summary = "Encoders of texts or pictures as ONNX files, by onnxruntime: frozen, without torch"
    modalities = ("text", "image")
    extra: str | None = "onnx"
    folders = True
    typical = Offer(  # of texts
        capabilities=frozenset({"features"}),
        family="encoder",
        architecture="ONNX graph",
        width=0,
        depth=0,
        parameters=0,
        max_length=512,
        pooling="mean",
    )

    def knows(self, path: Path) -> bool:
        """Whether it is the one for what is at a path."""
        from supertune.backbones.onnx import declared

        return declared.knows(path)

    def offers(self, ref: BackboneRef) -> Offer:
        """Raises as `declared.graph`."""
        from supertune.backbones.onnx import declared

        return declared.graph(ref.folder or Path(ref.name), ref.name).offer

    def open(
        self,
        ref: BackboneRef,
        *,
        device: str,
        threads: int | None,
        precision: str = "fp32",
        packing: bool = True,
    ) -> OnnxBackbone:
        """Load it; it computes in the precision that the file was written in."""
        from supertune.backbones.onnx import declared
        from supertune.backbones.onnx.model import OnnxBackbone

        graph = declared.graph(ref.folder or Path(ref.name), ref.name)
        return OnnxBackbone(ref, graph, device=device, threads=threads)


ENGINE = OnnxEngine()
