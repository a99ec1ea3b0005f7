"""Supervised contrastive tuning of the upper blocks, then a head in closed form.

All rows are one batch and every pair of them is compared there, so the work in the backbone is
linear in the rows and a few steps suffice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options
from supertune.methods._blocks import WHICH, BlockChoice, chosen_blocks


class ContrastiveOptions(GradientOptions):
    """Keys of ``contrastive``."""

    ranges: ClassVar[Mapping[str, float]] = {**GradientOptions.ranges, "temperature": 3.0}
    epochs: int = Field(15, ge=1, le=1000, description="one step each while rows fit one batch")
    batch_size: int = Field(4096, ge=2, le=4096)
    learning_rate: float = Field(1e-4, gt=0, le=1)
    temperature: float = Field(0.1, gt=0, le=10, description="similarities are divided by it")
    blocks: BlockChoice = Field("upper", description=WHICH)


class Contrastive:
    """See `supertune.contracts.GradientMethod`."""

    name = "contrastive"
    summary = "Rows of one label are drawn together in the upper blocks, then a head is solved"
    reference = "Khosla et al. 2020, arXiv:2004.11362; Tunstall et al. 2022 (SetFit)"
    needs = frozenset({"blocks", "torch"})
    objectives = frozenset({"classify"})
    simplicity = 52
    options: type[Options] = ContrastiveOptions

    def injection(self, offer: Offer, options: ContrastiveOptions) -> Injection:
        settings = {"only": "all", "temperature": options.temperature}
        blocks = chosen_blocks(offer, options.blocks)
        return Injection("unfreeze", blocks, settings, criterion="contrastive")


METHOD = Contrastive()
