"""A score with its 95 % interval, and the sentence that says how it was found.

On rows kept apart, the interval is about the rows: what as many other rows of the same kind
would have given. It is a percentile bootstrap over rows (Efron 1979), or over whole groups of
rows. A metric that is a share of right answers never gets one narrower than the score interval
of Wilson (1927) for that many independent units, so that a perfect score on 16 rows isn't printed
as [1, 1]. Out of fold, it is about the model that is kept, which learned from all of the rows:
`supertune.evaluation.spread` has the two variances that this takes.

Shapes: R repeats of cross-validation, n rows, C labels.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray
from supertune.evaluation import spread as spreads
from supertune.evaluation.resampling import Sampling, Score, averaged, quantiles, repeats_of
from supertune.evaluation.spread import Spread
from supertune.metrics import HIGHEST, LOSSES, RATES

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval [low, high]; ``how`` names the method, ``rows`` the rows."""

    metric: str
    value: float
    low: float
    high: float
    how: str
    rows: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def wilson(value: float, units: float) -> tuple[float, float]:
    """Score interval (Wilson 1927) of a share ``value`` seen on ``units`` independent units."""
    if units <= 0:
        return 0.0, 1.0
    spread = Z95**2 / units
    middle = (value + spread / 2) / (1 + spread)
    half = math.sqrt(max(0.0, value * (1 - value)) * spread + spread**2 / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def clopper_pearson(right: int, rows: int) -> tuple[float, float]:
    """Exact interval (Clopper and Pearson 1934) of ``right`` of ``rows``."""
    from scipy.special import betaincinv

    low = 0.0 if right == 0 else float(betaincinv(right, rows - right + 1, 0.025))
    high = 1.0 if right == rows else float(betaincinv(right + 1, rows - right, 0.975))
    return low, high


def least_difference(units: float) -> float:
    """Half width of the paired interval of Agresti and Min (2005) without any disagreement."""
    return Z95 / (units + 2)


def widened(value: float, ends: Sequence[float] | FloatArray, units: float) -> tuple[float, float]:
    """``ends`` stretched to hold ``value`` and Wilson's interval around it."""
    least = wilson(value, units)
    return max(0.0, min(float(ends[0]), least[0])), min(1.0, max(float(ends[1]), least[1]))


def from_folds(
    score: Score,
    answers: FloatArray,
    targets: npt.NDArray[Any],
    metrics: Sequence[str],
    *,
    seed: int,
    groups: IntArray | None = None,
    weights: FloatArray | None = None,
    folds: int | None = None,
    rates: Collection[str] = RATES,
    losses: Collection[str] = LOSSES,
) -> dict[str, Estimate]:
    """Cross-validated scores of rows that the models had not seen.

    Args:
        score: all metrics of one set of predictions; see `Score`.
        answers: (R, n, C) out-of-fold predictions, one set a repeat.
        targets: (n,), or (n, C) when a row may have several labels.
        metrics: the names wanted.
        groups: (n,) rows that are drawn together.
        weights: (n,) row weights.
        folds: how many; `spread.FOLDS` where it is not told.
        rates: metrics that are shares, whose interval is that of Wilson (1927).
        losses: metrics that are 0 at best, whose interval is found on their log.

    The value is the mean over repeats of the metric over all rows. The interval is for the score,
    on new rows, of the model fitted on all of these: see `supertune.evaluation.spread`.
    """
    repeats = repeats_of(answers)
    sampling = Sampling(len(targets), seed, groups, weights)
    found = spreads.spread(spreads.scored(score, repeats, targets, metrics), sampling, folds)
    source = fold_source(len(repeats), folds, len(targets))
    return {
        name: open_above(around(name, found, place, source, sampling, rates, losses), targets)
        for place, name in enumerate(metrics)
    }


def open_above(estimate: Estimate, targets: npt.NDArray[Any]) -> Estimate:
    """The estimate of rows out of fold, without an upper end where it averages over a label of
    very few rows (`spread.too_rare`): the lower end holds, and the value is too low."""
    if not spreads.too_rare(estimate.metric, targets):
        return estimate
    how = (
        f"{estimate.how}; a label has fewer than {spreads.RARE} rows, of which folds leave hardly "
        "one to learn from: the value is too low, and nothing but 1 bounds it from above"
    )
    return replace(estimate, high=1.0, how=how)


def around(
    metric: str,
    found: Spread,
    place: int,
    source: str,
    sampling: Sampling,
    rates: Collection[str] = RATES,
    losses: Collection[str] = LOSSES,
) -> Estimate:
    """Score number ``place`` of ``found`` with its interval."""
    rate = metric in rates
    parts = found.parts(place, metric, rate=rate)
    how = spread_how(source, sampling, found.repeated, rate)
    value, own = float(found.value[place]), sampling.units * found.worth
    return enclosed(metric, value, parts, how, sampling, own, rate, metric in losses)


def enclosed(
    metric: str,
    value: float,
    parts: tuple[float, float],
    how: str,
    sampling: Sampling,
    own: float,
    rate: bool,
    loss: bool,
) -> Estimate:
    """``value`` with the interval that its kind of metric gets from the two variances
    ``parts``; ``own`` as in `spread.of_rate`."""
    if rate:
        low, high = spreads.of_rate(value, *parts, own, sampling.units)
    elif loss:
        low, high = spreads.of_loss(value, sum(parts), sampling.units)
    else:
        low, high = spreads.plain(value, sum(parts), sampling.units)
    if metric in HIGHEST:
        low, high = max(0.0, low), min(HIGHEST[metric], high)
    return Estimate(metric, value, min(low, value), max(high, value), how, sampling.n)


def from_test(
    score: Score,
    answers: FloatArray,
    targets: npt.NDArray[Any],
    metrics: Sequence[str],
    *,
    seed: int,
    groups: IntArray | None = None,
    weights: FloatArray | None = None,
    rates: Collection[str] = RATES,
) -> dict[str, Estimate]:
    """Scores on rows kept apart, (n, C). Arguments as in `from_folds`; ``rates`` are never given
    an interval narrower than that of Wilson (1927).

    Accuracy of independent, equally weighted rows has the exact interval of Clopper and
    Pearson (1934); everything else is bootstrapped.
    """
    n = len(targets)
    source = f"{n} test rows"
    sampling = Sampling(n, seed, groups, weights)
    repeats = repeats_of(answers)
    estimates = _bootstrap(score, repeats, targets, metrics, source, sampling, rates)
    if "accuracy" in estimates and groups is None and weights is None:
        value = estimates["accuracy"].value
        low, high = clopper_pearson(round(value * n), n)
        how = f"{source}; exact interval of Clopper and Pearson (1934)"
        estimates["accuracy"] = Estimate("accuracy", value, low, high, how, n)
    return estimates


def paired(
    score: Score,
    a: FloatArray,
    b: FloatArray,
    targets: npt.NDArray[Any],
    metric: str,
    *,
    seed: int,
    groups: IntArray | None = None,
    weights: FloatArray | None = None,
    folds: int | None = None,
    rates: Collection[str] = RATES,
) -> Estimate:
    """Difference ``a - b`` of two systems on the same rows; each (n, C) or (R, n, C).

    Both are scored on the same rows each time. Out of fold, the interval is found as in
    `from_folds`, for answers to rows kept apart as in `from_test`. For a rate, it reaches at
    least as far to both sides as that of Agresti and Min (2005) does for systems that never
    disagree: equal answers on a few rows don't prove equal systems.
    """
    n, rate = len(targets), metric in rates
    sampling = Sampling(n, seed, groups, weights)
    if a.ndim == 3 or b.ndim == 3:
        found = paired_spread(score, a, b, targets, metric, sampling, folds)
        value = float(found.value[0])
        ends = spreads.plain(value, sum(found.parts(0, metric, rate=rate)), sampling.units)
        how = spread_how(f"paired; {n} rows out of fold", sampling, found.repeated, False)
        return difference(metric, value, ends, how, sampling, rate)
    both = averaged(score, [a, b], targets, [metric], sampling.weightings())[:, :, 0]
    gap = both[:, 0] - both[:, 1]
    how = f"paired percentile bootstrap over {sampling.kind} (Efron 1979), {n} rows"
    low, high = (float(end) for end in quantiles(gap[1:, None])[:, 0])
    return difference(metric, float(gap[0]), (low, high), how, sampling, rate)


def paired_spread(
    score: Score,
    a: FloatArray,
    b: FloatArray,
    targets: npt.NDArray[Any],
    metric: str,
    sampling: Sampling,
    folds: int | None,
) -> Spread:
    """The two variances of ``a - b``, repeat by repeat, as many as both have; a single set of
    answers is compared with each."""
    systems = [repeats_of(a), repeats_of(b)]
    count = min((len(one) for one in systems if len(one) > 1), default=1)
    first, second = (spreads.scored(score, one[:count], targets, [metric]) for one in systems)
    return spreads.spread(lambda weights: first(weights) - second(weights), sampling, folds)


def difference(
    metric: str,
    value: float,
    ends: tuple[float, float],
    how: str,
    sampling: Sampling,
    rate: bool,
) -> Estimate:
    """A difference with its interval ``ends``, stretched to the floor where it is of rates."""
    least = least_difference(sampling.units) if rate else 0.0
    low, high = min(ends[0], value - least), max(ends[1], value + least)
    if rate:
        how += ", never narrower than Agresti and Min (2005)"
        low, high = max(-1.0, low), min(1.0, high)
    return Estimate(metric, value, low, high, how, sampling.n)


def fold_source(repeats: int, folds: int | None, rows: int) -> str:
    layout = f"{repeats} x {folds}-fold" if folds else f"{repeats} x repeated"
    return f"{layout} cross-validation over {rows} rows"


def spread_how(source: str, sampling: Sampling, repeated: bool, rate: bool) -> str:
    """The sentence for `from_folds`."""
    units = "rows" if sampling.groups is None else "whole groups of rows"
    text = f"{source}; interval for the model that is kept: jackknife over {units} (Tukey 1958)"
    text += ", as in Wilson (1927)" if rate else ""
    if not repeated:
        return f"{text}, widened for the rows learned from (Nadeau and Bengio 2003)"
    text += ", and the spread over repeats (after Shao and Wu 1989)"
    return f"{text}, added as in Newcombe (1998)" if rate else text


def bootstrap_how(source: str, sampling: Sampling, rate: bool) -> str:
    text = f"{source}; percentile bootstrap over {sampling.kind} (Efron 1979)"
    return f"{text}, never narrower than Wilson (1927)" if rate else text


def _bootstrap(
    score: Score,
    repeats: FloatArray,
    targets: npt.NDArray[Any],
    metrics: Sequence[str],
    source: str,
    sampling: Sampling,
    rates: Collection[str],
) -> dict[str, Estimate]:
    table = averaged(score, [repeats], targets, metrics, sampling.weightings())[:, 0]
    ends, units = quantiles(table[1:]), sampling.units
    estimates = {}
    for column, name in enumerate(metrics):
        value, (low, high) = float(table[0, column]), (float(end) for end in ends[:, column])
        low, high = min(low, value), max(high, value)
        if name in rates:
            low, high = widened(value, (low, high), units)
        how = bootstrap_how(source, sampling, name in rates)
        estimates[name] = Estimate(name, value, low, high, how, sampling.n)
    return estimates
