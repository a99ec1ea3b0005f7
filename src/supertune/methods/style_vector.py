"""A style vector: the scales and shifts of a network of styles, tuned to pictures of one style."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from supertune.contracts import Injection, Offer, Options

COST = 3.0  # of a step, in passes through the network: forward, and back with its gradients


class StyleVectorOptions(Options):
    """Keys of ``style_vector``."""

    ranges: ClassVar[dict[str, float]] = {"learning_rate": 4.0, "content": 4.0}
    steps: int = Field(60, ge=1, le=10_000)
    learning_rate: float = Field(0.1, gt=0, le=10)
    batch_size: int = Field(1, ge=1, le=16, description="photographs a step")
    content: float = Field(
        0.3, ge=0, le=100, description="weight of the photograph's own content beside the style"
    )

    def passes(self, rows: int) -> float:
        """Of each row through the network."""
        return COST * self.steps * self.batch_size / max(1, rows)


class StyleVector:
    """See `supertune.contracts.GradientMethod`. Photographs are taken from rows without an answer.

    Styles of one backbone blend: see ``blend`` and ``strength`` of `supertune.generate`.
    """

    name = "style_vector"
    summary = "A style from one picture of it: scales and shifts of a network of styles"
    reference = "Dumoulin et al. 2017, arXiv:1610.07629"
    needs = frozenset({"stylize", "torch"})
    objectives = frozenset({"stylize"})
    simplicity = 34
    options: type[Options] = StyleVectorOptions
    takes_unlabelled = True
    holds_unlabelled = True  # photographs that it is judged by

    def injection(self, offer: Offer, options: StyleVectorOptions) -> Injection:
        return Injection("unfreeze", None, {"norms": True})

    def passes(self, options: StyleVectorOptions, rows: int) -> float:
        """See `supertune.contracts.GradientMethod`."""
        return options.passes(rows)


METHOD = StyleVector()
