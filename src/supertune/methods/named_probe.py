"""A linear head that starts from the labels' names and moves as far as the rows say.

A head that answers by similarity to the labels' names needs no row; ridge regression learns what
that head leaves of the labels. How much the names count, from nothing upwards, and the penalty
are not chosen but averaged over: each head counts by its leave-one-out likelihood. The average of
linear heads is one linear head, so what is saved and how it predicts is that of `linear_probe`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from supertune.contracts import (
    FloatArray,
    HeadSpec,
    IntArray,
    Lens,
    Options,
    Problem,
    State,
    offered,
)
from supertune.methods.label_names import BARE, PHRASE, Phrases, named_by
from supertune.methods.linear_probe import (
    Head,
    RidgeBatch,
    RidgeOptions,
    arrays,
    by_fold,
    ridge,
    row_weights,
)


class NamedProbeOptions(RidgeOptions):
    """Keys of ``named_probe``."""

    phrase: Phrases = Field(BARE, description=PHRASE)
    shares: tuple[float, ...] = Field(
        (0.0, 0.125, 0.25, 0.5, 0.75, 1.0),
        min_length=1,
        description="how much the names may count; at 1 their scores spread as the labels do",
    )


class NamedProbe:
    """See `supertune.contracts.FoldSolver`."""

    name = "named_probe"
    summary = "A linear head that starts from the label names; how far, by leave-one-out"
    reference = "after Huang et al. 2024 (LP++); weights by Yao et al. 2018 (pseudo-BMA)"
    needs = frozenset({"features", "names"})
    objectives = frozenset({"classify"})
    simplicity = 19  # shrunk further than a plain head
    calibrates = True
    options: type[Options] = NamedProbeOptions

    def fit(self, problem: Problem, options: NamedProbeOptions) -> Head:
        x, y = arrays(problem)
        batch = ridge(problem, x[None], y[None], row_weights(problem)[None])
        return averaged(batch, directions(problem, options.phrase), x[None], options)[0]

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Head:
        return Head.from_arrays(state.arrays)

    def out_of_fold(
        self,
        problem: Problem,
        options: NamedProbeOptions,
        folds: Sequence[tuple[IntArray, IntArray]],
    ) -> list[FloatArray]:
        names, x = directions(problem, options.phrase), problem.features

        def solved(batch: RidgeBatch, train: IntArray) -> list[Head]:
            return averaged(batch, names, x[train], options)

        return by_fold(problem, folds, solved)


def averaged(
    batch: RidgeBatch, names: FloatArray, features: FloatArray, options: NamedProbeOptions
) -> list[Head]:
    """One head for each of F problems.

    Args:
        names: (d, C) the direction in which each label's name lies.
        features: (F, n, d) the rows of ``batch``.
    """
    scores = features.astype(np.float64) @ names
    unit = _spread(batch, batch.targets) / np.maximum(_spread(batch, scores), 1e-12)
    parts = [share * unit[:, None, None] for share in options.shares]
    rests = [batch.beside(part * scores) for part in parts]
    counts = _counts(rests, options.penalties)  # (shares, penalties, F, 1, 1)
    solution, mean, along = (np.zeros(()) for _ in range(3))
    for part, rest, by_penalty in zip(parts, rests, counts, strict=True):
        for penalty, count in zip(options.penalties, by_penalty, strict=True):
            solution = solution + count * rest.shrunken(penalty)
            mean = mean + count * rest.mean_y
            along = along + count * part
    weight = batch.lifted(solution)
    bias = mean - batch.mean_x @ weight
    if batch.multi_label:
        bias = bias - 0.5 * counts.sum(axis=(0, 1))  # a score above one half means yes
    weight = weight + along * names
    return [
        Head(w.astype(np.float32), b.astype(np.float32))
        for w, b in zip(weight, bias[:, 0], strict=True)
    ]


def _counts(rests: Sequence[RidgeBatch], penalties: Sequence[float]) -> FloatArray:
    """(shares, penalties, F, 1, 1) what each head counts: temperature times its share of the
    leave-one-out likelihood, which is a product over the rows."""
    found = [[rest.assess(penalty) for penalty in penalties] for rest in rests]
    heats = np.array([[heat for _, heat in line] for line in found])
    losses = np.array(
        [
            [(rest.share * by_row).sum(axis=1) for by_row, _ in line]
            for rest, line in zip(rests, found, strict=True)
        ]
    )
    rows = rests[0].share.shape[1]
    likelihood = np.exp(-rows * (losses - losses.min(axis=(0, 1))))
    share = likelihood / likelihood.sum(axis=(0, 1))
    return np.asarray((share * heats)[..., None, None])


def _spread(batch: RidgeBatch, scores: FloatArray) -> FloatArray:
    """(F,) standard deviation over rows of scores (F, n, C), over all labels."""
    off = scores - np.einsum("fn,fnc->fc", batch.share, scores)[:, None]
    return np.asarray(np.sqrt(np.einsum("fn,fnc->f", batch.share, off**2) / scores.shape[2]))


def directions(problem: Problem, phrase: Phrases) -> FloatArray:
    """(d, C) names' vectors, of one label among several without what they have in common; zeros
    where the labels are numbers, which say nothing, or the backbone reads no names."""
    named = any(sign.isalpha() for label in problem.examples.labels for sign in label)
    offer = None if problem.lens is None else problem.lens.backbone.offer
    if not named or offer is None or "names" not in offered(offer):
        return np.zeros((problem.features.shape[1], len(problem.examples.labels)))
    vectors = named_by(problem, phrase).astype(np.float64)
    if not problem.head.multi_label:
        vectors = vectors - vectors.mean(axis=0)
    return vectors.T


METHOD = NamedProbe()
