"""Vectors of items from what they are: ridge regression from text, categories and year to the
factors of `implicit_als`, so that items need no interactions (after Gantner et al. 2010)."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from supertune.contracts import FloatArray
from supertune.methods import _items
from supertune.methods._recommending import Learnt, RankingMethod, Scorer
from supertune.methods.implicit_als import AlsOptions, Factors, factored

ENOUGH = 5  # people who took an item whose factors others are learned from


class ContentRidgeOptions(AlsOptions):
    """Keys of ``content_ridge``."""

    content_strength: float = Field(
        3.0, gt=0, description="L2 penalty on what descriptions say of factors"
    )


def _learn(learnt: Learnt, options: ContentRidgeOptions) -> Scorer:
    _, items = factored(learnt.matrix, options, learnt.seed)
    count = np.bincount(learnt.seen.items, minlength=learnt.seen.size)
    told = np.flatnonzero(count >= min(ENOUGH, count.max()))
    rows = _items.described(learnt).astype(np.float64)
    middle, mean = rows[told].mean(axis=0), items[told].mean(axis=0)
    away = rows[told] - middle
    inner = away.T @ away + options.content_strength * np.eye(rows.shape[1])
    weights: FloatArray = np.linalg.solve(inner, away.T @ (items[told] - mean))
    new = count == 0
    items[new] = (rows[new] - middle) @ weights + mean
    return Factors(items.astype(np.float32), options.strength, options.confidence)


METHOD = RankingMethod(
    name="content_ridge",
    summary="Factors of items that nobody took, by ridge regression from what they are",
    reference="Gantner et al. 2010; Hu, Koren and Volinsky 2008",
    simplicity=26,
    learn=_learn,
    revive=lambda arrays: Factors(arrays["items"], *arrays["penalties"].tolist()),
    options=ContentRidgeOptions,
    needs=frozenset({"features"}),
)
