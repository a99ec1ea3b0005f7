"""Tuned numbers put into a Transformers model and taken out again, weights untouched.

LoRA and its relatives go through ``peft``; ``"unfreeze"`` tunes copies of the weights
themselves. Both run from the cut: below it, activations are given.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from supertune.contracts import Encoding, Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import Batch, TransformersBackbone

Arrays = dict[str, npt.NDArray[Any]]

_QUERY_AND_VALUE = (
    ("query", "value"),  # BERT, RoBERTa, XLM-R
    ("q_proj", "v_proj"),  # Llama, Qwen, Mistral, BART, OPT
    ("q_lin", "v_lin"),  # DistilBERT
    ("q", "v"),  # T5, MPNet
    ("query_proj", "value_proj"),  # DeBERTa v2
    ("Wqkv",),  # ModernBERT; the three in one
    ("qkv_proj",),  # Phi 3
    ("c_attn",),  # GPT-2
    ("query_key_value",),  # BLOOM, GPT-NeoX, Falcon
)


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
    """What both kinds share: entering and leaving, running from the cut, and state by name.

    A kind says how its numbers are put into the model (`_put`) and taken out again (`_take`);
    `_take` also mends a `_put` that was interrupted half-way.
    """

    def __init__(self, backbone: TransformersBackbone, injection: Injection) -> None:
        self.backbone = backbone
        self.injection = injection
        self.cut = min(injection.blocks) if injection.blocks else 0
        self.from_input = injection.blocks is None or not backbone.resumes(self.cut)
        self._kept: Arrays | None = None

    def __enter__(self) -> Self:
        self.backbone.lock.acquire()
        if self.backbone.tuned:
            self.backbone.lock.release()
            raise RuntimeError(f"{self.backbone.ref.name} has tuned numbers in it already")
        self.backbone.tuned = True
        try:
            self._put()
            self.backbone.model.eval()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._kept = self.state()
        finally:
            self._leave()

    def _leave(self) -> None:
        self._take()
        self.backbone.model.requires_grad_(False)
        self.backbone.tuned = False
        self.backbone.lock.release()

    def _put(self) -> None:
        raise NotImplementedError

    def _take(self) -> None:
        raise NotImplementedError

    def named(self) -> dict[str, Any]:
        """The tensors tuned, by name; inside the ``with`` block only."""
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
        self._kept = {name: np.array(array, order="C") for name, array in state.items()}

    def run(self, batch: Batch, hidden: Any | None, encoding: Encoding) -> Any:
        """Pooled (rows, d) tensor; ``hidden`` enters the cut, None starts at the input."""
        if hidden is None:
            last = self.backbone.model(**batch.inputs).last_hidden_state
        else:
            last = self.backbone.resume(batch, self.cut, hidden)
        return self.backbone.pool(last, batch.mask, encoding)

    def state(self) -> Arrays:
        return {name: p.detach().cpu().numpy() for name, p in self.named().items()}

    def _fitting(self) -> dict[str, tuple[Any, Any]]:
        """Each tensor of the model with the kept numbers for it.

        Raises:
            InputError: ``adapter_mismatch`` when names or shapes differ.
        """
        import torch

        own, kept = self.named(), self.kept
        odd = sorted(set(own) ^ set(kept))
        odd += [n for n in own if n in kept and tuple(own[n].shape) != kept[n].shape]
        if odd:
            raise InputError(
                "adapter_mismatch",
                f"The tuned numbers do not fit {self.backbone.ref.name}.",
                received=", ".join(odd[:3]),
                next="Load the model with the backbone it was tuned on.",
            )
        return {name: (tensor, torch.from_numpy(kept[name])) for name, tensor in own.items()}


class PeftTunable(_Tunable):
    """A ``peft`` adapter; inside the ``with`` block it is part of the model."""

    def __init__(self, backbone: TransformersBackbone, injection: Injection, seed: int) -> None:
        super().__init__(backbone, injection)
        self._config = _peft_config(backbone, injection)
        self._peft: Any = None
        self._seed = seed
        with self:  # so that wrong names are refused before anything is computed
            pass

    def _put(self) -> None:
        import torch
        from peft import get_peft_model

        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(self._seed)
            try:
                self._peft = get_peft_model(self.backbone.model, self._config)
            except ValueError as error:
                raise InputError(
                    "target_not_found",
                    f"peft could not put {self.injection.kind} into {self.backbone.ref.name}.",
                    received=str(error).splitlines()[0],
                    allowed=", ".join(linear_names(self.backbone)),
                    next="Set targets to some of the allowed names: --set 'targets=[\"query\"]'.",
                ) from error
        if self._kept is not None:
            with torch.no_grad():
                for tensor, kept in self._fitting().values():
                    tensor.copy_(kept)

    def _take(self) -> None:
        from peft.tuners.tuners_utils import BaseTunerLayer

        # By hand and not by `unload`, which is not there where the injection was interrupted.
        for parent in list(self.backbone.model.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, BaseTunerLayer):
                    setattr(parent, name, child.get_base_layer())
        self.backbone.model.__dict__.pop("peft_config", None)
        self._peft = None

    def named(self) -> dict[str, Any]:
        if self._peft is None:
            raise RuntimeError("the adapter is not in the model; use `with tunable:`")
        return {
            name.replace(".default.", ".").replace(".default", ""): parameter
            for name, parameter in self._peft.named_parameters()
            if parameter.requires_grad
        }

    def config(self) -> dict[str, Any] | None:
        # peft writes down where the backbone's files are on this machine.
        name = self.backbone.ref.name
        written = {**self._config.to_dict(), "inference_mode": True}
        written["base_model_name_or_path"] = name
        return {
            key: sorted(value) if isinstance(value, set) else getattr(value, "value", value)
            for key, value in sorted(written.items())
        }


class UnfrozenTunable(_Tunable):
    """Weights tuned in place of the backbone's own, which wait beside it untouched."""

    def __init__(self, backbone: TransformersBackbone, injection: Injection) -> None:
        super().__init__(backbone, injection)
        self._names = _unfrozen_names(backbone, injection)
        self._own: dict[str, Any] = {}

    def _put(self) -> None:
        parameters = self.named()
        if self._kept is None:
            tuned = {name: p.detach().clone() for name, p in parameters.items()}
        else:
            tuned = {
                name: new.to(self.backbone.device) for name, (_, new) in self._fitting().items()
            }
        for name, parameter in parameters.items():
            self._own[name] = parameter.data
            parameter.data = tuned[name]
            parameter.requires_grad_(True)

    def _take(self) -> None:
        parameters = self.named()
        for name, own in self._own.items():
            parameters[name].grad = None
            parameters[name].data = own
        self._own = {}

    def named(self) -> dict[str, Any]:
        own = dict(self.backbone.model.named_parameters())
        return {name: own[name] for name in self._names}


def linear_names(backbone: TransformersBackbone) -> list[str]:
    """Last names of the linear layers inside the blocks, e.g. query, key, value, dense."""
    import torch
    from transformers.pytorch_utils import Conv1D  # what GPT-2 calls its linear layers

    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in backbone.blocks.named_modules()
            if isinstance(module, torch.nn.Linear | Conv1D)
        }
    )


def _peft_config(backbone: TransformersBackbone, injection: Injection) -> Any:
    import peft.mapping  # noqa: F401  fills the table of types
    from peft import PeftType, get_peft_config

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
    if injection.blocks is not None:
        settings["layers_to_transform"] = list(injection.blocks)
        settings["layers_pattern"] = backbone.block_name
    settings["base_model_name_or_path"] = backbone.ref.name
    if kind == "LORA" and settings.get("target_modules") is None:
        settings["target_modules"] = default_targets(backbone)
    config = get_peft_config(settings)
    if config.is_prompt_learning:
        raise InputError(
            "prompt_learning_unsupported",
            f"{kind} puts tokens before the text, which this engine cannot do yet.",
            received=injection.kind,
            allowed="peft types that change layers, such as LORA",
            next="Name another type in the method's injection.",
        )
    return config


def default_targets(backbone: TransformersBackbone) -> list[str]:
    """Query and value projections (Hu et al. 2021), by whatever name the architecture has."""
    names = linear_names(backbone)
    found = (list(known) for known in _QUERY_AND_VALUE if set(known) <= set(names))
    return next(found, names)


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
