"""DreamBooth: a concept under a rare word, while pictures of its class hold the rest in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from supertune.contracts import Denoising, Injection, Offer, Options, Picture
from supertune.methods._denoising import COST, DenoisingOptions, new_words, without


class DreamboothOptions(DenoisingOptions):
    """Keys of ``dreambooth``."""

    tune: Literal["lora", "all"] = Field(
        "lora", description="low-rank updates of attention, or all weights of the denoiser"
    )
    rank: int = Field(8, ge=1, le=1024)
    alpha: float = Field(16.0, gt=0, description="the update is scaled by alpha / rank")
    class_caption: str | None = Field(
        None, description="what the class is; the concept without words that are not known"
    )
    class_pictures: int = Field(
        32, ge=0, le=1000, description="pictures of the class that the untuned model draws, once"
    )
    class_steps: int = Field(20, ge=1, le=1000, description="in which each of them is drawn")
    prior_weight: float = Field(1.0, ge=0, description="what they count beside the concept's own")


class Dreambooth:
    """See `supertune.contracts.GradientMethod`."""

    name = "dreambooth"
    summary = "A concept under a rare word, with pictures of its class to keep what was known"
    reference = "Ruiz et al. 2022, arXiv:2208.12242"
    needs = frozenset({"denoise", "torch"})
    objectives = frozenset({"denoise"})
    simplicity = 46
    options: type[Options] = DreamboothOptions

    def settled(
        self, options: DreamboothOptions, pictures: Sequence[Picture], backbone: Denoising
    ) -> DreamboothOptions:
        """With the class by the captions: the first one without its new words."""
        if options.class_caption is not None:
            return options
        first = min(one.caption for one in pictures)
        named = without(first, new_words(pictures, backbone.known))
        return options.model_copy(update={"class_caption": named})

    def injection(self, offer: Offer, options: DreamboothOptions) -> Injection:
        if options.tune == "all":
            return Injection("unfreeze", None)
        return Injection("LORA", (0,), {"r": options.rank, "lora_alpha": options.alpha})

    def passes(self, options: DreamboothOptions, rows: int) -> float:
        """The class's pictures take as many passes again, and what drawing them takes."""
        if not (options.class_pictures and options.prior_weight):
            return options.passes(rows)
        drawing = 2 * options.class_pictures * options.class_steps / max(1, rows)
        return 2 * options.passes(rows) + drawing / COST


METHOD = Dreambooth()
