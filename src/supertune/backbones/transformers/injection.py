"""Tuned numbers put into a Transformers model and taken out again, weights untouched.

LoRA and its relatives go through ``peft``; ``"unfreeze"`` tunes copies of the weights
themselves. Both run from the cut: below it, activations are given.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import Encoding, Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import Batch, TransformersBackbone

Arrays = dict[str, npt.NDArray[Any]]


def inject(
    backbone: TransformersBackbone, injection: Injection, seed: int
) -> PeftTunable | UnfrozenTunable:
    """The tunable of one injection.

    Raises:
        InputError: when ``peft`` finds no module of the names asked for.
    """
    if injection.kind == "unfreeze":
        return UnfrozenTunable(backbone, injection)
    return PeftTunable(backbone, injection, seed)


class _Tunable:
    """What both kinds share: running from the cut, and their state by name."""

    def __init__(self, backbone: TransformersBackbone, injection: Injection) -> None:
        self.backbone = backbone
        self.injection = injection
        self.cut = min(injection.blocks) if injection.blocks else 0
        self.from_input = injection.blocks is None
        self._kept: Arrays | None = None

    def named(self) -> dict[str, Any]:
        raise NotImplementedError

    def parameters(self) -> list[Any]:
        return list(self.named().values())

    def config(self) -> dict[str, Any] | None:
        return None

    @property
    def kept(self) -> Arrays:
        """The tuned numbers as last left, under peft's own names where peft made them."""
        assert self._kept is not None
        return self._kept

    def keep(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Numbers to put in at the next entry."""
        self._kept = dict(state)

    def run(self, batch: Batch, hidden: Any | None, encoding: Encoding) -> Any:
        """Pooled (rows, d) tensor; ``hidden`` enters the cut, None starts at the input."""
        if hidden is None:
            last = self.backbone.model(**batch.inputs).last_hidden_state
        else:
            last = self.backbone.resume(batch, self.cut, hidden)
        return self.backbone.pool(last, batch.mask, encoding)

    def state(self) -> Arrays:
        return {name: p.detach().cpu().numpy().copy() for name, p in self.named().items()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        import torch

        own = self.named()
        if set(own) != set(state):
            odd = sorted(set(own) ^ set(state))[:3]
            raise InputError(
                "adapter_mismatch",
                "The tuned numbers do not fit this backbone.",
                received=", ".join(odd),
                next="Load the model with the backbone it was tuned on.",
            )
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(torch.from_numpy(np.ascontiguousarray(state[name])))


class PeftTunable(_Tunable):
    """A ``peft`` adapter; inside the ``with`` block it is part of the model."""

    def __init__(self, backbone: TransformersBackbone, injection: Injection, seed: int) -> None:
        super().__init__(backbone, injection)
        self._config = _peft_config(backbone, injection)
        self._peft: Any = None
        self._seed = seed
        with self:  # so that wrong names are refused before anything is computed
            pass

    def __enter__(self) -> PeftTunable:
        import torch
        from peft import get_peft_model

        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(self._seed)
            try:
                self._peft = get_peft_model(self.backbone.model, self._config)
            except ValueError as error:
                self.backbone.model.requires_grad_(False)
                raise InputError(
                    "target_not_found",
                    f"peft could not put {self.injection.kind} into {self.backbone.ref.name}.",
                    received=str(error).splitlines()[0],
                    allowed=", ".join(linear_names(self.backbone)),
                    next="Set targets to some of the allowed names: --set 'targets=[\"query\"]'.",
                ) from error
        if self._kept is not None:
            self.restore(self._kept)
        return self

    def __exit__(self, *exc: object) -> None:
        self._kept = self.state()
        self._peft.unload()
        self._peft = None
        self.backbone.model.requires_grad_(False)

    def named(self) -> dict[str, Any]:
        if self._peft is None:
            raise RuntimeError("the adapter is not in the model; use `with tunable:`")
        return {
            name.replace(".default.", ".").replace(".default", ""): parameter
            for name, parameter in self._peft.named_parameters()
            if parameter.requires_grad
        }

    def config(self) -> dict[str, Any] | None:
        written = {**self._config.to_dict(), "inference_mode": True}
        return {
            key: sorted(value) if isinstance(value, set) else getattr(value, "value", value)
            for key, value in sorted(written.items())
        }


class UnfrozenTunable(_Tunable):
    """Weights tuned in place of the backbone's, which come back at the end."""

    def __init__(self, backbone: TransformersBackbone, injection: Injection) -> None:
        super().__init__(backbone, injection)
        self._names = _unfrozen_names(backbone, injection)
        self._original: dict[str, Any] = {}

    def __enter__(self) -> UnfrozenTunable:
        self._original = {name: p.detach().clone() for name, p in self.named().items()}
        for parameter in self.named().values():
            parameter.requires_grad_(True)
        if self._kept is not None:
            self.restore(self._kept)
        return self

    def __exit__(self, *exc: object) -> None:
        import torch

        self._kept = self.state()
        with torch.no_grad():
            for name, parameter in self.named().items():
                parameter.requires_grad_(False)
                parameter.grad = None
                parameter.copy_(self._original[name])
        self._original = {}

    def named(self) -> dict[str, Any]:
        own = dict(self.backbone.model.named_parameters())
        return {name: own[name] for name in self._names}


def linear_names(backbone: TransformersBackbone) -> list[str]:
    """Last names of the linear layers inside the blocks, e.g. query, key, value, dense."""
    import torch

    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in backbone.blocks.named_modules()
            if isinstance(module, torch.nn.Linear)
        }
    )


def _peft_config(backbone: TransformersBackbone, injection: Injection) -> Any:
    from peft import PeftType, get_peft_config
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    kind = injection.kind.upper()
    if kind not in PeftType.__members__:
        raise InputError(
            "unknown_peft_type",
            f"The installed peft has no method '{injection.kind}'.",
            received=injection.kind,
            allowed=", ".join(sorted(PeftType.__members__)),
            next="Choose one of these, or update peft.",
        )
    settings: dict[str, Any] = {"peft_type": kind, "task_type": "FEATURE_EXTRACTION"}
    settings |= dict(injection.settings)
    if injection.blocks is not None and len(injection.blocks) < backbone.offer.depth:
        settings["layers_to_transform"] = list(injection.blocks)
        settings["layers_pattern"] = backbone.block_name
    settings["base_model_name_or_path"] = backbone.ref.name
    if kind == "LORA" and settings.get("target_modules") is None:
        settings["target_modules"] = default_targets(backbone)
    assert PEFT_TYPE_TO_CONFIG_MAPPING
    return get_peft_config(settings)


def default_targets(backbone: TransformersBackbone) -> list[str]:
    """Query and value projections (Hu et al. 2021), by whatever name the architecture has."""
    names = linear_names(backbone)
    for pair in (
        ("query", "value"),
        ("q_proj", "v_proj"),
        ("q_lin", "v_lin"),
        ("q", "v"),
        ("Wqkv",),
    ):
        if set(pair) <= set(names):
            return list(pair)
    return names


def _unfrozen_names(backbone: TransformersBackbone, injection: Injection) -> list[str]:
    if injection.blocks is None:
        wanted = {id(p) for p in backbone.model.parameters()}
    else:
        wanted = {id(p) for i in injection.blocks for p in backbone.blocks[i].parameters()}
    return [
        name
        for name, parameter in backbone.model.named_parameters()
        if id(parameter) in wanted and not name.startswith("pooler.")
    ]
