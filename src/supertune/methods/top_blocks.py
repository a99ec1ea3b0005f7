"""All weights of the topmost blocks are tuned; what lies below is computed once."""

from __future__ import annotations

from pydantic import Field

from supertune.contracts import GradientOptions, Injection, Offer, Options


class TopBlocksOptions(GradientOptions):
    """Keys of ``top_blocks``."""

    count: int = Field(1, ge=1, le=1000, description="how many blocks, from the top")
    learning_rate: float = Field(3e-4, gt=0, le=1)


class TopBlocks:
    """See `supertune.contracts.GradientMethod`."""

    name = "top_blocks"
    summary = "All weights of the topmost blocks are tuned, from a cache of what is below"
    reference = "Howard & Ruder 2018; Lee et al. 2019, arXiv:1911.03090"
    needs = frozenset({"blocks", "torch"})
    objectives = frozenset({"classify", "detect", "generate", "regress", "transcribe", "translate"})
    simplicity = 50
    options: type[Options] = TopBlocksOptions

    def injection(self, offer: Offer, options: TopBlocksOptions) -> Injection:
        lowest = max(0, offer.depth - options.count)
        return Injection("unfreeze", tuple(range(lowest, offer.depth)), {"only": "all"})


METHOD = TopBlocks()
