"""The engine for Keras 3 on TensorFlow: encoders of texts and pictures, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from supertune.contracts import BackboneRef, Offer

if TYPE_CHECKING:
    from supertune.backbones.keras.model import KerasBackbone


def _typical() -> Offer:
    from supertune.backbones.keras.graph import TUNED, TUNES

    return Offer(
        capabilities=TUNED,
        family="encoder",
        architecture="Keras model",
        width=0,
        depth=1,
        parameters=0,
        max_length=512,
        pooling="mean",
        tunes=TUNES,
    )


class KerasEngine:
    """See `supertune.contracts.Engine`. A backbone is a .keras file, the folder that it is in, or
    a folder of TensorFlow's SavedModel."""

    name = "keras"
    summary = "Encoders as .keras files or SavedModels, by TensorFlow alone; of texts also tuned"
    modalities = ("text", "image")
    extra: str | None = "tensorflow"
    folders = True
    typical = _typical()  # of texts, with blocks that can be told apart

    def knows(self, path: Path) -> bool:
        """Whether it is the one for what is at a path."""
        from supertune.backbones.keras import declared

        return declared.knows(path)

    def offers(self, ref: BackboneRef) -> Offer:
        """Raises as `declared.saved`."""
        from supertune.backbones.keras import declared

        return declared.saved(ref.folder or Path(ref.name), ref.name).offer

    def open(
        self,
        ref: BackboneRef,
        *,
        device: str,
        threads: int | None,
        precision: str = "fp32",
        packing: bool = True,
    ) -> KerasBackbone:
        """Load it; it computes in the precision that it was saved in, where TensorFlow puts it."""
        from supertune.backbones.keras import declared
        from supertune.backbones.keras.model import KerasBackbone

        saved = declared.saved(ref.folder or Path(ref.name), ref.name)
        return KerasBackbone(ref, saved, threads=threads)


ENGINE = KerasEngine()
