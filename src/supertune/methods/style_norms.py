"""A style: scales and shifts of the denoiser's group norms, tuned to one picture of it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from supertune.contracts import Denoising, Injection, Offer, Options, Picture
from supertune.errors import InputError
from supertune.methods._denoising import DenoisingOptions, whole


class StyleNormsOptions(DenoisingOptions):
    """Keys of ``style_norms``."""

    learning_rate: float = Field(5e-3, gt=0, le=10)
    weight_decay: float = Field(0.0, ge=0)
    crops: int = Field(16, ge=0, le=256, description="parts of each quarter that are learned from")


class StyleNorms:
    """See `supertune.contracts.GradientMethod`.

    Styles of one backbone blend: see ``blend`` and ``strength`` of `supertune.generate`.
    """

    name = "style_norms"
    summary = "A style from one picture of it: scales and shifts of the denoiser's norms"
    reference = "Dumoulin et al. 2017, arXiv:1610.07629"
    needs = frozenset({"denoise", "torch"})
    objectives = frozenset({"denoise"})
    simplicity = 35
    options: type[Options] = StyleNormsOptions

    def settled(
        self, options: StyleNormsOptions, pictures: Sequence[Picture], backbone: Denoising
    ) -> StyleNormsOptions:
        """As they are.

        Raises:
            InputError: ``several_styles``.
        """
        names = dict.fromkeys(whole(one.name) for one in pictures)
        if len(names) > 1:
            raise InputError(
                "several_styles",
                "A style is learned from one picture of it.",
                received=f"{len(names)} pictures: {', '.join(list(names)[:5])}",
                allowed="one picture; others in its style may judge, with --test",
                next="Fit each style by itself, and blend them: supertune generate A --blend B=0.5",
            )
        return options

    def injection(self, offer: Offer, options: StyleNormsOptions) -> Injection:
        return Injection("unfreeze", (0,), {"norms": True})

    def passes(self, options: StyleNormsOptions, rows: int) -> float:
        """See `supertune.contracts.GradientMethod`."""
        return options.passes(rows)


METHOD = StyleNorms()
