"""Weights tuned in place of the backbone's own, which wait beside them untouched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from supertune.backbones.transformers.tuning.base import TunableModel
from supertune.contracts import Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone


class UnfrozenWeights(TunableModel):
    """All weights, only biases (BitFit, Ben Zaken et al. 2022) or only normalisation layers.

    Settings: ``only`` is ``"all"``, ``"biases"`` or ``"norms"``; ``whole`` where of all blocks
    those of a decoder are tuned too, and its words.
    """

    def __init__(self, backbone: TransformersBackbone, injection: Injection, seed: int) -> None:
        super().__init__(backbone, injection, seed)
        self._names = _names(backbone, injection)

    def try_out(self) -> None:
        """What is tuned is there already: nothing could be refused."""

    def _put(self) -> None:
        for parameter in self.named().values():
            parameter.data = parameter.data.clone()
            parameter.requires_grad_(True)
        self._put_given()

    def named(self) -> dict[str, Any]:
        own = dict(self.backbone.model.named_parameters())
        return {name: own[name] for name in self._names}


def _names(backbone: TransformersBackbone, injection: Injection) -> list[str]:
    """Names in the whole model of the parameters to tune.

    Of all blocks, the embeddings and what follows the blocks belong to them; a pooler and a
    language-model head do not: features are read before them.
    """
    only = str(injection.settings.get("only", "all"))
    if injection.blocks is None and injection.settings.get("whole"):
        wanted = [backbone.model]
    elif injection.blocks is None:
        holders = [(name, child) for name, child in backbone.body.named_children()]
        wanted = [child for name, child in holders if name != "pooler"]
    else:
        wanted = [backbone.block(i) for i in injection.blocks]
    chosen = {id(p) for module in wanted for p in _parameters(module, only)}
    names = [name for name, p in backbone.model.named_parameters() if id(p) in chosen]
    # It stands for hidden patches while a model is pretrained, and nowhere later.
    names = [name for name in names if not name.endswith("mask_token")]
    # Sines of positions are computed, not learned, whatever they are kept as.
    fixed = {name for name, module in backbone.model.named_modules()
             if "Sinusoidal" in type(module).__name__}  # fmt: skip
    names = [name for name in names if name.rpartition(".")[0] not in fixed]
    if not names:
        raise InputError(
            "nothing_to_tune",
            f"{backbone.ref.name} has no {only} in the blocks chosen.",
            received=f"{only} of {backbone.offer.architecture}",
            next="Choose another method, such as lora.",
        )
    return names


def _parameters(module: Any, only: str) -> list[Any]:
    if only == "all":
        return list(module.parameters())
    if only == "biases":
        return [p for name, p in module.named_parameters() if re.search(r"(^|\.)bias$", name)]
    norms = [m for m in module.modules() if "norm" in type(m).__name__.lower()]
    return [p for norm in norms for p in norm.parameters()]
