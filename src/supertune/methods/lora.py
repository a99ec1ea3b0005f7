"""LoRA through ``peft`` and its family as options: low-rank updates of the upper blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options
from supertune.methods._blocks import WHICH, BlockChoice, chosen_blocks


class LoraOptions(GradientOptions):
    """Keys of ``lora``."""

    ranges: ClassVar[Mapping[str, float]] = {**GradientOptions.ranges, "rank": 4.0}
    # Chosen on draws that no study judges by.
    rates: ClassVar[Mapping[str, float]] = {"generate": 2e-3, "translate": 6e-3}
    rank: int = Field(8, ge=1, le=1024)
    alpha: float = Field(16.0, gt=0, description="the update is scaled by alpha / rank")
    lora_dropout: float = Field(0.0, ge=0, lt=1, description="of what enters the update")
    use_rslora: bool = Field(False, description="scale by alpha / sqrt(rank); arXiv:2312.03732")
    use_dora: bool = Field(False, description="tune lengths and directions; arXiv:2402.09353")
    init: Literal["default", "gaussian", "orthogonal", "pissa", "olora"] = Field(
        "default", description="PiSSA arXiv:2404.02948, OLoRA arXiv:2406.01775"
    )
    lr_ratio: float = Field(
        1.0, ge=1, le=64, description="LoRA+: B learns so many times faster; arXiv:2402.12354"
    )
    targets: tuple[str, ...] | None = Field(
        None, description="names of linear layers; query and value by default"
    )
    blocks: BlockChoice = Field("upper", description=WHICH)


class LoraOfDenoisersOptions(LoraOptions):
    """Keys where pictures are drawn: chosen on clocks, hearts and fruit of another draw than the
    study of generation uses. More epochs copy: of 15 and 8, 62 and 17 % of fruit were copies."""

    learning_rate: float = Field(2e-3, gt=0, le=1)
    targets: tuple[str, ...] | None = Field(
        None,
        description="names of linear layers and convolutions; those of attention by default, and "
        "the convolutions where few levels attend to the text",
    )


class Lora:
    """See `supertune.contracts.GradientMethod`."""

    name = "lora"
    summary = "Low-rank updates of attention in the upper blocks, through peft"
    reference = "Hu et al. 2021, arXiv:2106.09685"
    needs = frozenset({"blocks", "linears", "torch"})
    objectives = frozenset(
        {
            "classify",
            "denoise",
            "detect",
            "generate",
            "rank",
            "regress",
            "transcribe",
            "translate",
        }
    )
    simplicity = 40
    options: type[Options] = LoraOptions
    options_for: ClassVar[Mapping[str, type[Options]]] = {"denoise": LoraOfDenoisersOptions}

    def injection(self, offer: Offer, options: LoraOptions) -> Injection:
        settings = {
            "r": options.rank,
            "lora_alpha": options.alpha,
            "lora_dropout": options.lora_dropout,
            "use_rslora": options.use_rslora,
            "use_dora": options.use_dora,
            "init_lora_weights": True if options.init == "default" else options.init,
            "target_modules": None if options.targets is None else list(options.targets),
        }
        return Injection("LORA", chosen_blocks(offer, options.blocks), settings)


METHOD = Lora()
