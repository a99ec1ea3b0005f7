"""Tuned numbers put into a Transformers model and taken out again, weights untouched.

One file a kind: ``unfreeze`` tunes copies of the weights themselves, ``bottleneck``,
``deep_prompts``, ``decoder_prompts`` and ``context`` are small modules of ours on hooks, and
everything else is a type of ``peft``: ``peft_adapter`` for those that change layers,
``peft_prompts`` for those that put virtual tokens or keys and values before the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from supertune.contracts import Injection

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone
    from supertune.backbones.transformers.tuning.base import TunableModel


def inject(
    backbone: TransformersBackbone,
    injection: Injection,
    seed: int,
    numbers: Mapping[str, npt.NDArray[Any]] | None = None,
) -> TunableModel:
    """The tunable of one injection, begun by ``seed`` or with ``numbers`` tuned before.

    Raises:
        InputError: ``unknown_peft_type``, ``peft_refused``, ``target_not_found``,
            ``feed_forward_not_found``, ``prompts_unsupported`` or ``adapter_mismatch``.
    """
    made = _made(backbone, injection, seed)
    if numbers is None:
        made.try_out()
    else:
        made.accept(numbers)
    return made


def _made(backbone: TransformersBackbone, injection: Injection, seed: int) -> TunableModel:
    if injection.kind == "unfreeze":
        from supertune.backbones.transformers.tuning.unfreeze import UnfrozenWeights

        return UnfrozenWeights(backbone, injection, seed)
    if injection.kind == "adapter":
        from supertune.backbones.transformers.tuning.bottleneck import BottleneckAdapters

        return BottleneckAdapters(backbone, injection, seed)
    if injection.kind == "deep_prompts":
        from supertune.backbones.transformers.tuning.deep_prompts import DeepPrompts

        return DeepPrompts(backbone, injection, seed)
    if injection.kind == "decoder_prompts":
        from supertune.backbones.transformers.tuning.decoder_prompts import DecoderPrompts

        return DecoderPrompts(backbone, injection, seed)
    if injection.kind == "context":
        from supertune.backbones.transformers.tuning.context import Context

        return Context(backbone, injection, seed)
    from supertune.backbones.transformers.tuning import peft_config

    if peft_config.is_prompt(injection.kind):
        from supertune.backbones.transformers.tuning.peft_prompts import PeftPrompts

        return PeftPrompts(backbone, injection, seed)
    from supertune.backbones.transformers.tuning.peft_adapter import PeftAdapter

    return PeftAdapter(backbone, injection, seed)


__all__ = ["inject"]
