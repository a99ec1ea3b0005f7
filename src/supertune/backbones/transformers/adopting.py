"""Adapters that plain peft wrote, put into a backbone of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from supertune.contracts import Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

Arrays = dict[str, npt.NDArray[Any]]

# About the file, about how training began, or given to the injection in another way.
_NOT_SETTINGS = {
    *("peft_type", "task_type", "base_model_name_or_path", "revision", "inference_mode"),
    *("auto_mapping", "peft_version", "modules_to_save", "layers_to_transform", "layers_pattern"),
    *("prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_name_or_path"),
    *("tokenizer_kwargs", "runtime_config"),
}
_ROOT = "base_model.model."


def adopted(
    backbone: TransformersBackbone, config: Mapping[str, Any], arrays: Arrays
) -> tuple[Injection, Arrays, Arrays]:
    """What has to be injected for an adapter of peft, its numbers by our names, and the rest.

    Args:
        config: the content of ``adapter_config.json``.
        arrays: the content of ``adapter_model.safetensors``. Whether the adapter was made for a
            model with a head or without does not matter: names are told apart by their ends.

    Raises:
        InputError: ``adapter_mismatch``, ``unknown_peft_type``, or what the injection raises.
    """
    injection = injection_of(config)
    own = backbone.inject(injection, seed=0).kept
    names = matched(own, arrays)
    odd = [name for name in own if name not in names]
    odd += [n for n, theirs in names.items() if own[n].shape != arrays[theirs].shape]
    if odd:
        raise InputError(
            "adapter_mismatch",
            f"The adapter was not made for {backbone.ref.name}.",
            received=", ".join(sorted(arrays)[:3]),
            allowed=", ".join(f"{name} {own[name].shape}" for name in sorted(own)[:3]),
            next="Name the backbone that it was tuned on.",
        )
    taken = set(names.values())
    rest = {name: array for name, array in arrays.items() if name not in taken}
    return injection, {name: arrays[theirs] for name, theirs in names.items()}, rest


def injection_of(config: Mapping[str, Any]) -> Injection:
    """The injection that a configuration of peft describes; keys of a newer peft are left out."""
    import peft  # noqa: F401  fills the table of types
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    kind = str(config["peft_type"])
    made: Any = PEFT_TYPE_TO_CONFIG_MAPPING.get(kind)
    known = {field.name for field in fields(made)} if made is not None else set()
    settings = {
        name: value
        for name, value in config.items()
        if name in known - _NOT_SETTINGS and value not in (None, {}, [])
    }
    layers, targets = config.get("layers_to_transform"), settings.get("target_modules")
    if layers is None:
        if isinstance(targets, list):  # said so that no block is chosen for it
            settings["target_modules"] = rf"(?:.*\.)?(?:{'|'.join(map(re.escape, targets))})"
        return Injection(kind, None, settings)
    numbers = [layers] if isinstance(layers, int) else layers
    return Injection(kind, tuple(sorted(map(int, numbers))), settings)


def matched(own: Iterable[str], given: Iterable[str]) -> dict[str, str]:
    """Given names by our names, where the two differ in nothing but what stands in front.

    An adapter of ``BertForSequenceClassification`` says ``bert.encoder...`` where one of
    ``BertModel`` says ``encoder...``. What stands in front has to be the same throughout.
    """
    ours, theirs = list(own), set(given)
    if not ours:
        return {}
    first = ours[0].removeprefix(_ROOT)
    for name in sorted(theirs, key=len):
        other = name.removeprefix(_ROOT)
        longer, shorter = (other, first) if len(other) >= len(first) else (first, other)
        front = longer.removesuffix(shorter)
        if not longer.endswith(shorter) or (front and not front.endswith(".")):
            continue
        found = {}
        for each in ours:
            bare = each.removeprefix(_ROOT)
            root = _ROOT if each.startswith(_ROOT) else ""
            named = f"{front}{bare}" if longer is other else bare.removeprefix(front)
            if f"{root}{named}" in theirs:
                found[each] = f"{root}{named}"
        if len(found) == len(ours):
            return found
    return {name: name for name in ours if name in theirs}
