"""Folders of small PyTorch modules of our own: their configuration, and weights that fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.contracts import Backbone, BackboneRef, Offer
from supertune.errors import InputError


@dataclass(frozen=True)
class ModuleEngine:
    """See `supertune.contracts.Engine`. It always runs in fp32 on the processor, where modules as
    small as these are fastest.

    Attributes:
        what: its backbones are, e.g. ``"detector"``.
        example: a model of the catalogue that is one.
        model_types: as their ``config.json`` calls them.
        offered: what one offers, by its reference and config.json.
        opened: loads one, by its reference, config.json and the number of threads.
    """

    name: str
    summary: str
    what: str
    example: str
    model_types: frozenset[str]
    offered: Callable[[BackboneRef, dict[str, Any]], Offer]
    opened: Callable[[BackboneRef, dict[str, Any], int | None], Backbone]
    modalities: tuple[str, ...] = ("image",)
    extra: str | None = "vision"
    folders: bool = True  # its backbones are folders, which the catalogue may fetch

    def offers(self, ref: BackboneRef) -> Offer:
        return self.offered(ref, self._config(ref))

    def open(
        self,
        ref: BackboneRef,
        *,
        device: str,
        threads: int | None,
        precision: str = "fp32",
        packing: bool = True,
    ) -> Backbone:
        return self.opened(ref, self._config(ref), threads)

    def _config(self, ref: BackboneRef) -> dict[str, Any]:
        """What config.json says.

        Raises:
            InputError: ``not_a_backbone``, ``unknown_architecture``.
        """
        folder = ref.folder or Path(ref.name)
        try:
            found = json.loads((folder / "config.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                "not_a_backbone",
                f"{ref.name} holds no {self.what}.",
                received=type(error).__name__,
                allowed="a folder with config.json and model.safetensors",
                next=f"Choose {self.example}: `supertune models` lists it.",
            ) from None
        if not isinstance(found, dict) or found.get("model_type") not in self.model_types:
            kind = found.get("model_type") if isinstance(found, dict) else type(found).__name__
            raise InputError(
                "unknown_architecture",
                f"{ref.name} is no {self.what} that this engine knows.",
                received=f"model_type {kind!r}",
                allowed=", ".join(sorted(self.model_types)),
                next=f"Choose {self.example}, or leave '{self.name}:' out.",
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
