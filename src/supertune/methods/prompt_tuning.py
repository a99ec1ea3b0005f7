"""Prompt tuning through ``peft``: trainable vectors among the word embeddings."""

from __future__ import annotations

from pydantic import Field

from supertune.contracts import Injection, Offer, Options
from supertune.methods._prompts import PromptOptions


class PromptTuningOptions(PromptOptions):
    """Keys of ``prompt_tuning``."""

    epochs: int = Field(30, ge=1, le=1000)
    learning_rate: float = Field(3e-2, gt=0, le=1)


class PromptTuning:
    """See `supertune.contracts.GradientMethod`."""

    name = "prompt_tuning"
    summary = "Trainable vectors in front of the text, starting at words, through peft"
    reference = "Lester et al. 2021, arXiv:2104.08691"
    needs = frozenset({"features", "tokens", "torch"})
    objectives = frozenset({"classify"})
    simplicity = 30
    options: type[Options] = PromptTuningOptions

    def injection(self, offer: Offer, options: PromptTuningOptions) -> Injection:
        settings = {"num_virtual_tokens": options.tokens, **options.start()}
        return Injection("PROMPT_TUNING", None, settings)


METHOD = PromptTuning()
