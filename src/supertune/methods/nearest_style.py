"""The published style that is nearest to pictures of a style. Nothing is tuned."""

from __future__ import annotations

from supertune.contracts import Injection, Offer, Options

STYLES = 26  # that are looked through


class NearestStyleOptions(Options):
    """Keys of ``nearest_style``: none."""


class NearestStyle:
    """See `supertune.contracts.GradientMethod`; no step is made."""

    name = "nearest_style"
    summary = "The published style that comes nearest; nothing is tuned"
    reference = "Dumoulin et al. 2017, arXiv:1610.07629"
    needs = frozenset({"stylize"})
    objectives = frozenset({"stylize"})
    simplicity = 6
    options: type[Options] = NearestStyleOptions
    takes_unlabelled = True
    holds_unlabelled = True  # photographs that it is judged by

    def injection(self, offer: Offer, options: NearestStyleOptions) -> Injection:
        return Injection("unfreeze", None, {"norms": True})

    def passes(self, options: NearestStyleOptions, rows: int) -> float:
        """See `supertune.contracts.GradientMethod`."""
        return STYLES / max(1, rows)


METHOD = NearestStyle()
