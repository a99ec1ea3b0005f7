"""The same scores label by label, and slice by slice, each with its interval.

Shapes: R repeats of cross-validation, n rows, C labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray
from supertune.evaluation.intervals import (
    Estimate,
    bootstrap_how,
    fold_source,
    from_folds,
    from_test,
    spread_how,
    widened,
)
from supertune.evaluation.resampling import Sampling, Score, quantiles, repeats_of
from supertune.evaluation.spread import of_rate, spread
from supertune.metrics import label_counts, per_class


def per_class_from_folds(
    probabilities: FloatArray,
    targets: npt.NDArray[Any],
    *,
    seed: int,
    groups: IntArray | None = None,
    weights: FloatArray | None = None,
    costs: FloatArray | None = None,
    folds: int | None = None,
) -> list[dict[str, Estimate]]:
    """``precision``, ``recall`` and ``f1`` of each of the C labels; arguments as in `from_folds`.

    A label's interval is [0, 1] where its score is 0 / 0. ``rows`` counts the rows that truly
    have the label: no interval is narrower than that of Wilson (1927) for as many, for precision
    for as many as were so answered.
    """
    repeats = repeats_of(probabilities)
    sampling = Sampling(len(targets), seed, groups, weights)
    floors, support = _floors(repeats, targets, sampling, costs)

    def values(drawn: FloatArray) -> FloatArray:
        each = [per_class(one, targets, drawn, costs, undefined=np.nan) for one in repeats]
        return np.stack([np.concatenate([one[name] for name in floors], axis=1) for one in each])

    spreading = spread(values, sampling, folds)
    source = fold_source(len(repeats), folds, len(targets))
    how = spread_how(source, sampling, spreading.repeated, True)
    found: list[dict[str, Estimate]] = [{} for _ in support]
    for part, (name, units) in enumerate(floors.items()):
        for label, own in enumerate(units):
            place = part * len(support) + label
            value, parts = float(spreading.value[place]), spreading.parts(place, name, rate=True)
            low, high = of_rate(value, *parts, float(own) * spreading.worth, sampling.units)
            rows = int(support[label])
            found[label][name] = Estimate(name, value, min(low, value), max(high, value), how, rows)
    return found


def per_class_from_test(
    probabilities: FloatArray,
    targets: npt.NDArray[Any],
    *,
    seed: int,
    groups: IntArray | None = None,
    weights: FloatArray | None = None,
    costs: FloatArray | None = None,
) -> list[dict[str, Estimate]]:
    """As `per_class_from_folds`, on rows kept apart (n, C). Resamples in which a label's score
    is 0 / 0 are left out of its interval."""
    sampling = Sampling(len(targets), seed, groups, weights)
    source = f"{len(targets)} test rows"
    return _per_class(repeats_of(probabilities), targets, source, sampling, costs)


def by_slice(
    score: Score,
    answers: FloatArray,
    targets: npt.NDArray[Any],
    metric: str,
    column: npt.NDArray[Any],
    *,
    seed: int,
    groups: IntArray | None = None,
    weights: FloatArray | None = None,
    folds: int | None = None,
    most: int = 50,
) -> list[dict[str, Any]]:
    """``{"value": str, "rows": int, "estimate": Estimate}`` of each value in ``column`` (n,).

    The largest slice first, ``most`` of them. Predictions (n, C) count as those of test rows,
    (R, n, C) as out of fold. Other arguments as in `from_folds`.
    """
    sampling = Sampling(len(targets), seed, groups, weights)
    names, where, counts = np.unique(
        np.asarray(column).astype(str), return_inverse=True, return_counts=True
    )
    parts = []
    for index in np.argsort(-counts, kind="stable")[:most]:
        rows = np.flatnonzero(where == index)
        part, own = answers[..., rows, :], sampling.take(rows)
        if answers.ndim == 2:
            found = from_test(
                score, part, targets[rows], [metric],
                seed=seed, groups=own.groups, weights=own.weights,
            )  # fmt: skip
        else:
            found = from_folds(
                score, part, targets[rows], [metric],
                seed=seed, groups=own.groups, weights=own.weights, folds=folds,
            )  # fmt: skip
        parts.append({"value": str(names[index]), "rows": len(rows), "estimate": found[metric]})
    return parts


def _per_class(
    repeats: FloatArray,
    targets: npt.NDArray[Any],
    source: str,
    sampling: Sampling,
    costs: FloatArray | None,
) -> list[dict[str, Estimate]]:
    floors, support = _floors(repeats, targets, sampling, costs)
    how = bootstrap_how(source, sampling, True)
    found: list[dict[str, Estimate]] = [{} for _ in support]
    tables = _resampled(repeats, targets, sampling, costs)
    for name, units in floors.items():
        table = tables[name]
        known: npt.NDArray[np.bool_] = np.isfinite(table)
        mean = np.where(known, table, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        defined = known.sum(axis=0) > 0
        for label, at in enumerate(units):
            value, kept = float(mean[0, label]), mean[1:, label][defined[1:, label]]
            ends = quantiles(kept[:, None])[:, 0] if len(kept) and defined[0, label] else (0.0, 1.0)
            low, high = widened(value, ends, float(at))
            found[label][name] = Estimate(name, value, low, high, how, int(support[label]))
    return found


def _floors(
    repeats: FloatArray, targets: npt.NDArray[Any], sampling: Sampling, costs: FloatArray | None
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Independent rows (C,) behind each score of a label, and its rows (C,)."""
    counts = [label_counts(one, targets, None, costs) for one in repeats]
    support = counts[0][1][0]
    answered = np.mean([part[2][0] for part in counts], axis=0)
    # Weights and groups make rows worth fewer independent ones, alike for every label.
    worth = sampling.units / sampling.n
    floors = {"precision": answered * worth, "recall": support * worth, "f1": support * worth}
    return floors, support


def _resampled(
    repeats: FloatArray, targets: npt.NDArray[Any], sampling: Sampling, costs: FloatArray | None
) -> dict[str, FloatArray]:
    """(R, 1 + B, C) of each score of a label; nan where it is 0 / 0."""
    blocks: dict[str, list[FloatArray]] = {}
    for weights in sampling.weightings():
        each = [per_class(one, targets, weights, costs, undefined=np.nan) for one in repeats]
        for name in each[0]:
            blocks.setdefault(name, []).append(np.stack([part[name] for part in each]))
    return {name: np.concatenate(parts, axis=1) for name, parts in blocks.items()}
