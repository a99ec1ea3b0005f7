"""Prefix tuning through ``peft``: trainable keys and values before the text, in every block."""

from __future__ import annotations

from pydantic import Field

from supertune.contracts import Injection, Offer, Options
from supertune.methods._prompts import PromptOptions


class PrefixTuningOptions(PromptOptions):
    """Keys of ``prefix_tuning``."""

    epochs: int = Field(30, ge=1, le=1000)
    learning_rate: float = Field(3e-3, gt=0, le=1)


class PrefixTuning:
    """See `supertune.contracts.GradientMethod`."""

    name = "prefix_tuning"
    summary = "Trainable keys and values in every block; with readout=head it is P-tuning v2"
    reference = "Li & Liang 2021, arXiv:2101.00190; Liu et al. 2022, arXiv:2110.07602"
    needs = frozenset({"features", "past_keys", "torch"})
    objectives = frozenset({"classify"})
    simplicity = 32
    options: type[Options] = PrefixTuningOptions

    def injection(self, offer: Offer, options: PrefixTuningOptions) -> Injection:
        settings = {"num_virtual_tokens": options.tokens, **options.start()}
        return Injection("PREFIX_TUNING", None, settings)


METHOD = PrefixTuning()
