"""Folders of small PyTorch modules of our own: their configuration, and weights that fit."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from supertune.contracts import BackboneRef
from supertune.errors import InputError


def config(
    ref: BackboneRef, models: Collection[str], *, what: str, example: str, engine: str
) -> dict[str, Any]:
    """What config.json says.

    Args:
        models: the types of model that the engine knows.
        what: they are, e.g. ``"detector"``.
        example: a model of the catalogue that is one.

    Raises:
        InputError: ``not_a_backbone``, ``unknown_architecture``.
    """
    folder = ref.folder or Path(ref.name)
    try:
        found = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "not_a_backbone",
            f"{ref.name} holds no {what}.",
            received=type(error).__name__,
            allowed="a folder with config.json and model.safetensors",
            next=f"Choose {example}: `supertune models` lists it.",
        ) from None
    if not isinstance(found, dict) or found.get("model_type") not in models:
        kind = found.get("model_type") if isinstance(found, dict) else type(found).__name__
        raise InputError(
            "unknown_architecture",
            f"{ref.name} is no {what} that this engine knows.",
            received=f"model_type {kind!r}",
            allowed=", ".join(models),
            next=f"Choose {example}, or leave '{engine}:' out.",
        )
    return found


def fill(module: Any, folder: Path, *, what: str, example: str) -> None:
    """Put the folder's weights into a module, which must be all of its own and no others.

    Raises:
        InputError: ``weights_do_not_fit``.
    """
    from safetensors.torch import load_file

    found = load_file(folder / "model.safetensors")
    wanted = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in found.items()}
    if wanted != given:
        odd = sorted(set(wanted.items()) ^ set(given.items()))[:3]
        raise InputError(
            "weights_do_not_fit",
            f"The weights in {folder.name} are not those of its configuration.",
            received=", ".join(f"{name} {shape}" for name, shape in odd),
            allowed=f"the tensors of {what}",
            next=f"Fetch the model again: `supertune models pull {example}`.",
        )
    module.load_state_dict(found)
