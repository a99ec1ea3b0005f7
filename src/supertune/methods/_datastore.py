"""Tokens by where a decoder was about to write them, and what they say about the next one.

Of the k nearest each has the weight exp(-distance / temperature); what was never seen near has
that of a neighbour at the distance ``doubt``, which leaves its say to the model. How much these
say, and from how near on, is found on the tokens kept, each without those of its own row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray

SHARES = (0.3, 0.5, 0.7, 0.85)
QUANTILES = (0.1, 0.25, 0.5, 0.75)  # of distances to the nearest, for the temperature and the doubt
COOLED = (0.1, 0.25, 0.5, 1.0)  # temperatures, in units of the median distance
AT_ONCE = 512  # tokens that are compared at a time
LEAST = 1e-12


@dataclass(frozen=True)
class Trust:
    """How neighbours are listened to; distances are squared and Euclidean."""

    neighbours: int
    share: float
    temperature: float
    doubt: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Datastore:
    """(N, d) places, (N,) the tokens written there, and (N,) the rows that they are of."""

    places: FloatArray
    tokens: IntArray
    rows: IntArray

    def nearest(
        self, wanted: FloatArray, count: int, without: IntArray | None = None
    ) -> tuple[FloatArray, IntArray]:
        """(M, k) distances and numbers of the nearest; ``without`` (M,) rows that do not count."""
        found = []
        own = (self.places**2).sum(axis=1)
        count = min(count, len(self.tokens))
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            apart = (part**2).sum(axis=1)[:, None] + own - 2 * part @ self.places.T
            if without is not None:
                same = without[start : start + AT_ONCE, None] == self.rows
                apart = np.where(same, np.inf, apart)
            index = np.argpartition(apart, count - 1, axis=1)[:, :count]
            found.append((np.maximum(np.take_along_axis(apart, index, axis=1), 0.0), index))
        return np.concatenate([one for one, _ in found]), np.concatenate([one for _, one in found])


def say(distances: FloatArray, trust: Trust) -> tuple[FloatArray, FloatArray]:
    """(M, k) weights of neighbours, which sum to (M,) how much they say, at most ``share``."""
    near = distances.min(axis=1, keepdims=True)
    near = np.where(np.isfinite(near), near, 0.0)
    weights = np.exp(-(distances - near) / trust.temperature)
    total = weights.sum(axis=1, keepdims=True)
    # What speaks for the model, as the neighbours are measured from the nearest of them.
    other = np.exp(np.clip((near - trust.doubt) / trust.temperature, -60, 60))
    said = trust.share * total / (total + other)
    return weights / np.maximum(total, LEAST) * said, said[:, 0]


def settled(store: Datastore, likely: FloatArray, neighbours: int) -> Trust:
    """The trust under which the tokens kept are likeliest, each without its own row's; ``likely``
    (N,) is their log-likelihood under the model alone."""
    distances, index = store.nearest(store.places, neighbours, store.rows)
    right = store.tokens[index] == store.tokens[:, None]
    own = np.exp(likely.astype(np.float64))
    nearest = distances.min(axis=1)
    middle = float(np.median(nearest[np.isfinite(nearest)])) if np.isfinite(nearest).any() else 1.0
    usual = nearest[np.isfinite(nearest)]
    best, chosen = -np.inf, Trust(neighbours, 0.0, max(middle, LEAST), 0.0)
    for share, cooled, quantile in product(SHARES, COOLED, QUANTILES):
        doubt = float(np.quantile(usual, quantile)) if len(usual) else 0.0
        trust = Trust(neighbours, share, max(cooled * middle, LEAST), doubt)
        weights, said = say(distances, trust)
        mixed = (weights * right).sum(axis=1) + (1 - said) * own
        worth = float(np.log(np.maximum(mixed, LEAST)).mean())
        if worth > best + 1e-9:
            best, chosen = worth, trust
    return chosen


def mixed(store: Datastore, trust: Trust, hidden: Any, chances: Any) -> Any:
    """(B, V) log-likelihoods with what neighbours say; see `supertune.contracts.translation`."""
    import torch

    distances, index = store.nearest(hidden.float().cpu().numpy(), trust.neighbours)
    weights, said = say(distances, trust)
    tokens = torch.from_numpy(store.tokens[index].astype(np.int64)).to(chances.device)
    more = torch.zeros_like(chances)
    more.scatter_add_(1, tokens, torch.from_numpy(weights).to(chances))
    kept = torch.from_numpy(1 - said).to(chances)[:, None]
    return torch.log(torch.clamp(kept * chances.exp() + more, min=LEAST))


def of(parts: Sequence[tuple[FloatArray, Sequence[int]]]) -> Datastore:
    """Of each row the places of its tokens, and these."""
    rows = np.repeat(np.arange(len(parts)), [len(tokens) for _, tokens in parts])
    tokens: npt.NDArray[Any] = np.concatenate([np.asarray(tokens) for _, tokens in parts])
    places = np.concatenate([each for each, _ in parts]).astype(np.float32)
    return Datastore(places, tokens.astype(np.int32), rows.astype(np.int32))
