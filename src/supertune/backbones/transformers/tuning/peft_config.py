"""The configuration that ``peft`` is asked with, for one injection into one backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from supertune.backbones.transformers.tuning import layers
from supertune.contracts import Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

_TASK_TYPES = {"causal": "CAUSAL_LM", "seq2seq": "SEQ_2_SEQ_LM"}

# Types whose targets are none of the layers inside the blocks.
_OUTSIDE_BLOCKS = {"TRAINABLE_TOKENS", "ADAPTION_PROMPT", "SHADOW"}

# Keys of our injections that are not peft's.
OWN_KEYS = {"init", "init_text"}


def is_prompt(kind: str) -> bool:
    """Whether a type of peft puts something before the text instead of changing layers.

    Raises:
        InputError: ``unknown_peft_type``.
    """
    from peft import PromptLearningConfig

    return issubclass(_config_class(kind), PromptLearningConfig)


def peft_config(backbone: TransformersBackbone, injection: Injection, **changes: Any) -> Any:
    """A new configuration; peft fills it in while it works, so no two entries share one.

    Raises:
        InputError: ``unknown_peft_type``, ``target_not_found``, or ``peft_refused`` when peft
            does not take the settings.
    """
    made = _config_class(injection.kind)
    known = {field.name for field in fields(made)}
    settings = {n: v for n, v in injection.settings.items() if n not in OWN_KEYS}
    settings["task_type"] = _task_type(backbone)
    if "target_modules" in known and injection.kind.upper() not in _OUTSIDE_BLOCKS:
        settings |= _targets(backbone, injection, settings)
    if injection.kind.upper() == "TRAINABLE_TOKENS" and not settings.get("token_indices"):
        settings["token_indices"] = _frame(backbone)
    try:
        return made(**{**settings, **changes})
    except Exception as error:
        raise refused(backbone, injection, error) from error


def _task_type(backbone: TransformersBackbone) -> str:
    """What `PeftModel.from_pretrained` has to be given: a model with its head, or without."""
    if "score_text" not in backbone.offer.capabilities:
        return "FEATURE_EXTRACTION"
    return _TASK_TYPES.get(backbone.offer.family, "FEATURE_EXTRACTION")


def refused(backbone: TransformersBackbone, injection: Injection, error: Exception) -> InputError:
    """What peft raised, as an error of ours."""
    lines = str(error).splitlines()
    return InputError(
        "peft_refused",
        f"peft could not put {injection.kind.upper()} into {backbone.ref.name}.",
        received=lines[0] if lines else type(error).__name__,
        allowed="linear layers: " + ", ".join(layers.linear_names(backbone)),
        next="Change its settings with --set, or choose another method: `supertune methods`.",
    )


def written(config: Any, name: str) -> dict[str, Any]:
    """A configuration as ``adapter_config.json`` has it; ``name`` is the backbone's."""
    values = {**config.to_dict(), "inference_mode": True, "base_model_name_or_path": name}
    return {key: _plain(value) for key, value in sorted(values.items())}


def _plain(value: Any) -> Any:
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return getattr(value, "value", value)


def _config_class(kind: str) -> Any:
    import peft  # noqa: F401  fills the table of types
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    known = {str(getattr(each, "value", each)) for each in PEFT_TYPE_TO_CONFIG_MAPPING}
    if kind.upper() not in known:
        raise InputError(
            "unknown_peft_type",
            f"The installed peft has no method '{kind}'.",
            received=kind,
            allowed=", ".join(sorted(known)),
            next="Choose one of these, or update peft.",
        )
    return PEFT_TYPE_TO_CONFIG_MAPPING[kind.upper()]


def _targets(
    backbone: TransformersBackbone, injection: Injection, settings: dict[str, Any]
) -> dict[str, Any]:
    """``target_modules`` as one expression for the chosen blocks, and IA3's second list."""
    kind, given = injection.kind.upper(), settings.get("target_modules")
    if isinstance(given, str) and given != "all-linear":
        return {}  # an expression of the person's own
    if given == "all-linear":
        names: Sequence[str] = layers.linear_names(backbone)
    elif given is not None:
        names = list(given)
    elif kind == "IA3":
        return _ia3(backbone, injection)
    elif kind == "LN_TUNING":
        names = layers.norm_names(backbone)
    else:
        names = layers.attention_names(backbone, "query", "value")  # Hu et al. 2021
    return {"target_modules": layers.pattern(backbone, names, injection.blocks)}


def _ia3(backbone: TransformersBackbone, injection: Injection) -> dict[str, Any]:
    """Keys, values and what enters the feed-forward output (Liu et al. 2022)."""
    first = injection.blocks[0] if injection.blocks else 0
    output = layers.feed_forward(backbone, first).output
    attention = layers.attention_names(backbone, "key", "value")
    where = layers.pattern(backbone, attention, injection.blocks)
    inner = layers.pattern(backbone, [output], injection.blocks).replace(r"(?:.*\.)?", "")
    return {"target_modules": f"{where}|{inner}", "feedforward_modules": inner}


def _frame(backbone: TransformersBackbone) -> list[int]:
    """The tokens that are put around every text: what is tuned must occur."""
    ids = list(backbone.tokenizer("a")["input_ids"])
    bare = set(backbone.tokenizer("a", add_special_tokens=False)["input_ids"])
    found = sorted(set(ids) - bare)
    if found:
        return found
    raise InputError(
        "tokens_missing",
        f"{backbone.ref.name} puts no tokens of its own around a text that could be tuned.",
        received="no token_indices",
        allowed="numbers of tokens that occur in the texts",
        next="Name some: --set 'token_indices=[262, 290]'.",
    )
