"""The backbone that a model was tuned on: what is noted of it, and the same one opened again."""

from __future__ import annotations

from typing import Any

from supertune.contracts import Backbone, Lens
from supertune.errors import InputError
from supertune.pipeline import Workshop


def noted(workshop: Workshop, name: str | None) -> dict[str, Any] | None:
    """What the manifest says of a backbone: its weights' sha256, and the sha256 of those that it
    was converted from, where a converter of ours made it."""
    lens = workshop.lens(name)
    if lens is None:
        return None
    source = getattr(lens.backbone, "converted_from", "")
    said = {"name": name, "sha256": lens.backbone.sha256}
    return {**said, "converted_from": source} if source else said


def same_backbone(workshop: Workshop, manifest: dict[str, Any]) -> Lens:
    """Weights that were converted for another engine count as the same.

    Raises:
        InputError: ``backbone_changed`` where its weights are others.
    """
    backbone = workshop.recipe.backbone
    lens = workshop.lens(backbone)
    assert lens is not None
    said = manifest["backbone"]
    if not _weights(lens.backbone) & {said["sha256"], said.get("converted_from")}:
        raise InputError(
            "backbone_changed",
            f"{backbone} is not the backbone that this model was tuned on.",
            received=f"weights sha256 {lens.backbone.sha256[:16]}…",
            allowed=f"weights sha256 {said['sha256'][:16]}…",
            next="Put the original backbone back, or fit the model again.",
        )
    return lens


def _weights(backbone: Backbone) -> set[str]:
    source = getattr(backbone, "converted_from", "")
    return {backbone.sha256, source} if source else {backbone.sha256}
