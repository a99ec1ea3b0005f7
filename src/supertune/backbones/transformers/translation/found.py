"""What decoding gives, whichever way it goes."""

from __future__ import annotations

from dataclasses import dataclass

THINNED = 0.75  # share of a batch that goes on, below which the others are let go of


@dataclass(frozen=True)
class Found:
    """Tokens without the last, and the sum of their log-likelihoods with it; ``others`` are the
    next best."""

    tokens: tuple[int, ...]
    total: float
    others: tuple[Found, ...] = ()

    @property
    def mean(self) -> float:
        return self.total / (len(self.tokens) + 1)
