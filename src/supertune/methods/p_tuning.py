"""P-tuning through ``peft``: vectors in front of the text, made by a small encoder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options


class PTuningOptions(GradientOptions):
    """Keys of ``p_tuning``."""

    epochs: int = Field(30, ge=1, le=1000)
    tokens: int = Field(8, ge=1, le=256, description="trainable vectors in front of the text")
    encoder: Literal["MLP", "LSTM"] = Field("MLP", description="what the vectors pass through")
    hidden: int = Field(128, ge=1, le=4096, description="numbers inside the encoder")


class PTuning:
    """See `supertune.contracts.GradientMethod`."""

    name = "p_tuning"
    summary = "Vectors in front of the text, made by a small encoder that is not kept"
    reference = "Liu et al. 2021, arXiv:2103.10385"
    needs = frozenset({"features", "tokens", "torch"})
    objectives = frozenset({"classify"})
    simplicity = 31
    options: type[Options] = PTuningOptions

    def injection(self, offer: Offer, options: PTuningOptions) -> Injection:
        settings = {
            "num_virtual_tokens": options.tokens,
            "encoder_reparameterization_type": options.encoder,
            "encoder_hidden_size": options.hidden,
        }
        return Injection("P_TUNING", None, settings)


METHOD = PTuning()
