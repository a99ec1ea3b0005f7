"""``peft:NAME``: every method that the installed ``peft`` registers, by its own name.

Its arguments pass through: ``--method peft:LOHA --set r=4``. Where an empty configuration does
not train, a default stands here; what cannot serve is refused with the reason, before anything
is loaded. ``peft:SUPERTUNING`` is a method of peft's own that has only its name from anywhere.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any

from pydantic import Field, create_model

from supertune.contracts import GradientOptions, Injection, Offer, Options
from supertune.errors import InputError, unknown_name
from supertune.methods import _peft_source as source
from supertune.methods._blocks import WHICH, BlockChoice, chosen_blocks

FAMILIES = ("encoder", "masked", "causal", "seq2seq")

_REFUSED = {
    "POLY": "it routes rows by the number of their task, and there is one task here",
    "SHADOW": "its second model runs in peft's own forward pass, which features do not go through",
    "XLORA": "it mixes adapters trained before and tunes nothing of its own",
}
_ONLY_CAUSAL = {
    "ADAPTION_PROMPT": "peft puts it into the attention of Llama, Mistral and GPT-2 alone",
    "CPT": "peft has it for causal models alone",
    "MULTITASK_PROMPT_TUNING": "peft asks for the number of a task, which encoders do not take",
}
_NO_SEQ2SEQ = {
    "CARTRIDGE": "its keys and values go into a decoder, and here the encoder is read",
    "PREFIX_TUNING": "its keys and values go into a decoder, and here the encoder is read",
}
_ADAPTION_MODELS = ("Llama", "Mistral", "GPT2")
# GPT-2's layers are of a kind of their own, Conv1D, which these were not written for.
_NO_GPT2 = {
    *("ADAMSS", "BEFT", "BOFT", "C3A", "DELORA", "GLORA", "HRA", "LILY", "LOHA", "LOKR", "MISS"),
    *("OFT", "OSF", "PEANUT", "PSOFT", "ROAD", "SHIRA", "SUPERTUNING"),
}
_NOTES = {"ADALORA": "ranks stay as they are: peft moves them in a training loop of its own"}

_TOKENS = {"num_virtual_tokens": 8}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "ADALORA": {"total_step": 1000},
    "ADAPTION_PROMPT": {"adapter_len": 8},
    "C3A": {"block_size": 16},
    "CARTRIDGE": _TOKENS,
    "CPT": _TOKENS,
    "MISS": {"r": 8},
    "MULTITASK_PROMPT_TUNING": {**_TOKENS, "num_tasks": 1},
    "PREFIX_TUNING": _TOKENS,
    "PROMPT_TUNING": {**_TOKENS, "prompt_tuning_init": "SAMPLE_VOCAB"},
    "P_TUNING": _TOKENS,
    "ROAD": {"group_size": 8},
    "SHIRA": {"r": 8},
    "VBLORA": {"num_vectors": 64, "vector_length": 16, "topk": 2},
    "WAVEFT": {"n_frequency": 256},
}
_IN_FRONT = {*_NO_SEQ2SEQ, "CPT", "MULTITASK_PROMPT_TUNING", "PROMPT_TUNING", "P_TUNING"}
_EVERYWHERE = {*_IN_FRONT, "ADAPTION_PROMPT", "TRAINABLE_TOKENS"}  # no choice of blocks


class PeftMethod:
    """One type of peft; see `supertune.contracts.GradientMethod`."""

    simplicity = 55

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.name = f"peft:{kind}"
        self.summary = f"{kind} of peft {source.version()}, its arguments passed through"
        self.needs = frozenset({"blocks", "linears", "torch"})
        self.objectives = frozenset({"classify", "detect", "regress"})
        if kind in _EVERYWHERE:
            self.needs |= {"tokens"}
            self.objectives -= {"detect"}  # detectors read no tokens
        if kind in _ONLY_CAUSAL:
            self.needs |= {"next_token_logits"}
        if kind in _NO_SEQ2SEQ:
            self.needs |= {"past_keys"}

    @property
    def reference(self) -> str:
        return source.paper(self.kind)

    @cached_property
    def options(self) -> type[Options]:
        """The keys of gradient methods, ``blocks`` where there is a choice, and peft's own."""
        # A dozen steps at 1e-3 leave the loss of most types nearly where it was.
        keys: dict[str, Any] = {"learning_rate": (float, Field(1e-2, gt=0, le=1))}
        if self.kind not in _EVERYWHERE:
            keys["blocks"] = (BlockChoice, Field("upper", description=WHICH))
        for name, argument in source.arguments(self.kind).items():
            default = _DEFAULTS.get(self.kind, {}).get(name, argument.default)
            told = f"{argument.kind}; {argument.help}".strip("; ")
            keys[name] = (Any, Field(default, description=told))
        return create_model(f"{self.kind.title()}Options", __base__=GradientOptions, **keys)

    def injection(self, offer: Offer, options: Any) -> Injection:
        """
        Raises:
            InputError: ``method_does_not_fit`` where the backbone is of a family it cannot serve.
        """
        self._check(offer)
        own = source.arguments(self.kind)
        fields = type(options).model_fields
        # A resolved recipe writes every key down; what stands at its default is peft's to choose.
        given = {n: v for n in own if (v := getattr(options, n)) != fields[n].default}
        settings = {**_DEFAULTS.get(self.kind, {}), **given}
        if self.kind == "ADAPTION_PROMPT":
            settings.setdefault("adapter_layers", max(1, offer.depth // 2))
        expression = isinstance(given.get("target_modules"), str)
        if self.kind in _EVERYWHERE or (expression and given["target_modules"] != "all-linear"):
            return Injection(self.kind, None, settings)
        return Injection(self.kind, chosen_blocks(offer, options.blocks), settings)

    def _check(self, offer: Offer) -> None:
        runs, why = runs_on(self.kind), reason(self.kind)
        fits = offer.family in runs
        if self.kind == "ADAPTION_PROMPT":
            fits = fits and offer.architecture.startswith(_ADAPTION_MODELS)
        if self.kind in _NO_GPT2 and offer.architecture.startswith("GPT2"):
            fits, why = False, "peft has it for plain linear layers, which GPT-2 lacks"
        if not fits:
            raise InputError(
                "method_does_not_fit",
                f"{self.name} cannot serve {offer.architecture}: {why}.",
                received=f"{self.name} on a backbone of family {offer.family}",
                allowed=f"backbones of family {', '.join(runs)}",
                next="`supertune methods` lists where each type of peft runs.",
            )


def runs_on(kind: str) -> tuple[str, ...]:
    """Families of backbones that a type of peft serves."""
    if kind in _REFUSED:
        return ()
    if kind in _ONLY_CAUSAL:
        return ("causal",)
    return tuple(f for f in FAMILIES if kind not in _NO_SEQ2SEQ or f != "seq2seq")


def reason(kind: str) -> str:
    """Why a type does not serve every family, or what is to be known of it; often empty."""
    told = (_REFUSED, _ONLY_CAUSAL, _NO_SEQ2SEQ, _NOTES)
    return next((table[kind] for table in told if kind in table), "")


class PeftFamily:
    """See `supertune.registry.Family`."""

    name = "peft"
    summary = "Any method that the installed peft registers, its arguments by --set"

    def names(self) -> tuple[str, ...]:
        return tuple(source.types())

    def method(self, name: str) -> PeftMethod:
        """
        Raises:
            InputError: ``unknown_peft_type``, ``method_refused``.
        """
        if name not in source.types():
            near = name.upper() if name.upper() in source.types() else name
            error = unknown_name("peft type", near, source.types())
            hint = f"Did you mean 'peft:{near}'?" if near != name else error.next
            raise InputError(error.code, f"peft {source.version() or '(not installed)'} has no "
                             f"method '{name}'.", received=f"peft:{name}",
                             allowed=error.allowed, next=hint)  # fmt: skip
        if name in _REFUSED:
            raise InputError(
                "method_refused",
                f"peft:{name} cannot serve here: {_REFUSED[name]}.",
                received=f"peft:{name}",
                allowed=", ".join(kind for kind in source.types() if kind not in _REFUSED),
                next="Choose one of these as peft:NAME, or lora.",
            )
        return _method(name)

    def table(self) -> list[dict[str, Any]]:
        return [
            {"name": f"peft:{kind}", "families": list(runs_on(kind)), "why": reason(kind)}
            for kind in source.types()
        ]


@cache
def _method(kind: str) -> PeftMethod:
    return PeftMethod(kind)


FAMILY = PeftFamily()
