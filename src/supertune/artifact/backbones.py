"""The backbone that a model was tuned on, opened again."""

from __future__ import annotations

from typing import Any

from supertune.contracts import Lens
from supertune.errors import InputError
from supertune.pipeline import Workshop


def same_backbone(workshop: Workshop, manifest: dict[str, Any]) -> Lens:
    """Raises: InputError ``backbone_changed`` where its weights are others."""
    backbone = workshop.recipe.backbone
    lens = workshop.lens(backbone)
    assert lens is not None
    opened = lens.backbone
    if opened.sha256 != manifest["backbone"]["sha256"]:
        raise InputError(
            "backbone_changed",
            f"{backbone} is not the backbone that this model was tuned on.",
            received=f"weights sha256 {opened.sha256[:16]}…",
            allowed=f"weights sha256 {manifest['backbone']['sha256'][:16]}…",
            next="Put the original backbone back, or fit the model again.",
        )
    return lens
