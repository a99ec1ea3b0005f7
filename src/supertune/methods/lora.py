"""LoRA through ``peft``: low-rank updates of the upper blocks, on top of a solved head."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options


class LoraOptions(GradientOptions):
    """Keys of ``lora``."""

    rank: int = Field(8, ge=1, le=1024)
    alpha: float = Field(16.0, gt=0, description="the update is scaled by alpha / rank")
    targets: tuple[str, ...] | None = Field(
        None, description="names of linear layers; query and value by default"
    )
    blocks: Literal["upper", "all"] | tuple[int, ...] = Field(
        "upper", description="which blocks; 'upper' is the upper half, training starts there"
    )


class Lora:
    """See `supertune.contracts.GradientMethod`."""

    name = "lora"
    summary = "Low-rank updates of attention in the upper blocks, through peft"
    reference = "Hu et al. 2021, arXiv:2106.09685"
    needs = frozenset({"blocks", "torch"})
    objectives = frozenset({"classify"})
    simplicity = 40
    options: type[Options] = LoraOptions

    def injection(self, offer: Offer, options: LoraOptions) -> Injection:
        if options.blocks == "all":
            blocks = tuple(range(offer.depth))
        elif options.blocks == "upper":
            blocks = tuple(range(offer.depth // 2, offer.depth))
        else:
            blocks = tuple(sorted(options.blocks))
        settings = {
            "r": options.rank,
            "lora_alpha": options.alpha,
            "target_modules": None if options.targets is None else list(options.targets),
        }
        return Injection("LORA", blocks, settings)


METHOD = Lora()
