"""Bottleneck adapters: small layers beside the big ones, which start as nothing at all."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options
from supertune.methods._blocks import WHICH, BlockChoice, chosen_blocks


class AdapterOptions(GradientOptions):
    """Keys of ``adapter``."""

    placement: Literal["houlsby", "pfeiffer", "parallel"] = Field(
        "pfeiffer",
        description="after attention and feed-forward, after feed-forward, beside feed-forward",
    )
    reduction: int = Field(16, ge=1, le=4096, description="width / reduction numbers inside")
    activation: Literal["gelu", "relu"] = "gelu"
    blocks: BlockChoice = Field("upper", description=WHICH)


class Adapter:
    """See `supertune.contracts.GradientMethod`."""

    name = "adapter"
    summary = "Bottleneck adapters in the upper blocks: Houlsby, Pfeiffer or parallel placement"
    reference = "Houlsby et al. 2019; Pfeiffer et al. 2021; He et al. 2022, arXiv:2110.04366"
    needs = frozenset({"blocks", "linears", "torch"})
    objectives = frozenset({"classify", "detect", "generate", "regress", "transcribe", "translate"})
    simplicity = 44
    options: type[Options] = AdapterOptions

    def injection(self, offer: Offer, options: AdapterOptions) -> Injection:
        settings = {
            "placement": options.placement,
            "reduction": options.reduction,
            "activation": options.activation,
        }
        return Injection("adapter", chosen_blocks(offer, options.blocks), settings)


METHOD = Adapter()
