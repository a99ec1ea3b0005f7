"""LoRA whose update is scaled by the square root of the rank, so that a high rank still learns.

Kalajdzievski 2023, arXiv:2312.03732.
"""

from __future__ import annotations

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options


class RsLoraOptions(GradientOptions):
    rank: int = Field(32, ge=1, le=1024)
    alpha: float = Field(16.0, gt=0, description="the update is scaled by alpha / sqrt(rank)")


class RsLora:
    name = "rs_lora"
    summary = "rank-stabilised LoRA on the upper third of the blocks"
    reference = "Kalajdzievski 2023, arXiv:2312.03732"
    needs = frozenset({"blocks", "torch"})
    objectives = frozenset({"classify"})
    simplicity = 45
    options: type[Options] = RsLoraOptions

    def injection(self, offer: Offer, options: RsLoraOptions) -> Injection:
        # Everything below the lowest of these blocks is computed once and replayed.
        blocks = tuple(range(offer.depth - max(1, offer.depth // 3), offer.depth))
        settings = {"r": options.rank, "lora_alpha": options.alpha, "use_rslora": True}
        return Injection("LORA", blocks, settings)


METHOD = RsLora()
