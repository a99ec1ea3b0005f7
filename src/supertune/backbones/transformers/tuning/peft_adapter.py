"""Types of ``peft`` that change layers: LoRA, IA3, LoHa, OFT and their like."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from supertune.backbones.transformers.tuning import peft_config, side_by_side
from supertune.backbones.transformers.tuning.base import Arrays, TunableModel
from supertune.contracts import Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

# What begins with a decomposition of the weights leaves the rest of it in their place.
_WRITING_TYPES = {"OSF", "PSOFT", "DELORA", "ADAMSS", "GLORA", "MISS"}
_FROZEN_INITS = {"True", "False", "gaussian", "orthogonal"}


class PeftAdapter(TunableModel):
    """A ``peft`` adapter; inside the ``with`` block it is part of the model.

    Numbers are kept under the names and in the selection of peft's own files.
    """

    def __init__(self, backbone: TransformersBackbone, injection: Injection, seed: int) -> None:
        super().__init__(backbone, injection, seed)
        self._config: Any = None
        self._peft: Any = None
        init = str(injection.settings.get("init_lora_weights", True))
        kind = injection.kind.upper()
        self.copies_weights = kind in _WRITING_TYPES or init not in _FROZEN_INITS

    def accept(self, numbers: Mapping[str, npt.NDArray[Any]]) -> None:
        """Of plain LoRA names and shapes follow from the model: peft is not asked, which would
        take ten times as long."""
        self._config = self._configured()
        shapes = side_by_side.shapes(self.backbone, self._config)
        if self.copies_weights or shapes != {n: array.shape for n, array in numbers.items()}:
            super().accept(numbers)
            return
        self.keep(numbers)
        self._tuned = sum(int(array.size) for array in numbers.values())

    @property
    def joins(self) -> str | None:
        """Adapters that are nothing but LoRA's two factors go into one model together."""
        if self.injection.kind.upper() != "LORA" or self.copies_weights:
            return None
        return "lora" if side_by_side.plain(self.backbone, self._config, self.kept) else None

    def _put(self) -> None:
        self._config = self._configured()
        self._peft = self._wrapped()
        if not self.named():
            raise peft_config.refused(
                self.backbone, self.injection, ValueError("nothing in the model would be tuned")
            )
        self._peft.eval()
        self._put_given()

    @property
    def scale(self) -> float:
        """What the product of LoRA's factors is multiplied by."""
        rank = self._config.r
        return float(self._config.lora_alpha / (rank**0.5 if self._config.use_rslora else rank))

    def _configured(self) -> Any:
        return peft_config.peft_config(self.backbone, self.injection)

    def _wrapped(self) -> Any:
        from peft import get_peft_model

        # Some types show a bar of their own while they decompose weights.
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                return get_peft_model(self.backbone.model, self._config)
            except InputError:
                raise
            except Exception as error:
                raise peft_config.refused(self.backbone, self.injection, error) from error

    def _put_given(self) -> None:
        import torch
        from peft import set_peft_model_state_dict

        if self._given is None:
            return
        self._check_given(self.state())
        given = {name: torch.from_numpy(array.copy()) for name, array in self._given.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            set_peft_model_state_dict(self._peft, given)

    def _taken(self) -> None:
        self._peft = None

    def named(self) -> dict[str, Any]:
        if self._peft is None:
            raise RuntimeError("the adapter is not in the model; use `with tunable:`")
        return {
            name.replace(".default.", ".").replace(".default", ""): parameter
            for name, parameter in self._peft.named_parameters()
            if parameter.requires_grad
        }

    def state(self) -> Arrays:
        from peft import get_peft_model_state_dict

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            saved = get_peft_model_state_dict(self._peft, save_embedding_layers=False)
        return {name: tensor.detach().cpu().numpy().copy() for name, tensor in saved.items()}

    def config(self) -> dict[str, Any] | None:
        return peft_config.written(self._config, self.backbone.ref.name)
