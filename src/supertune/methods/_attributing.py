"""What each token adds to a linear head on pooled vectors.

A mean over tokens is a sum of their states, so a linear head's score is one too: each token's
share is exact. Where a vector is scaled to length 1, all shares are divided by the one length that
the whole text has, so they still add up, and a word's share depends a little on the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from supertune.contracts import Attributable, Contribution, FloatArray, Input, Lens, Span


def ways(lens: Lens | None) -> tuple[str, ...]:
    """Those of the backbone."""
    if lens is None or not isinstance(lens.backbone, Attributable):
        return ()
    return lens.backbone.attributing.ways(lens.encoding)


def shares(
    inputs: Sequence[Input],
    weights: FloatArray,
    offsets: FloatArray,
    lens: Lens,
    way: str,
    *,
    unit: bool = False,
) -> list[Contribution]:
    """Of features @ ``weights`` (n, d) + ``offsets`` (n,), each input its own row; ``unit``: of
    features scaled to length 1."""
    assert isinstance(lens.backbone, Attributable)
    asked = lens.backbone.attributing
    spans = asked.spans(inputs, lens.encoding)
    if way == "integrated_gradients":
        found = asked.integrated_gradients(inputs, lens.encoding, weights, unit)
        return [
            _contribution(own, each, rest + float(offset))
            for own, (each, rest), offset in zip(spans, found, offsets, strict=True)
        ]
    listed = []
    states = asked.token_states(inputs, lens.encoding)
    for own, each, weight, offset in zip(spans, states, weights, offsets, strict=True):
        length = np.linalg.norm(each.sum(axis=0)) if unit else 1.0
        # The offset is spread over the tokens: each then says what the head makes of it alone.
        listed.append(_contribution(own, each @ weight / length + offset / len(each), 0.0))
    return listed


def _contribution(spans: tuple[Span | None, ...], shares: FloatArray, rest: float) -> Contribution:
    """Tokens that are no part of the input go to the rest."""
    own = [i for i, span in enumerate(spans) if span is not None]
    others = float(np.delete(shares, own).sum())
    kept = tuple(span for span in spans if span is not None)
    return Contribution(kept, np.asarray(shares, dtype=np.float64)[own], rest + others)
