"""Intervals compared: each from the same answers out of fold, for the same true scores.

Everything is a mean over rows, or is made one by leaving rows out (Tukey 1958). Shapes: D draws,
R repeats, n rows, C labels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.coverage_draws import FEW, Drawn
from supertune import metrics
from supertune.contracts import FloatArray
from supertune.evaluation import spread as spreads
from supertune.evaluation.intervals import wilson
from supertune.evaluation.resampling import Sampling
from supertune.evaluation.spread import Spread

Z, FOLDS, RESAMPLES = 1.959964, 5, 400


@dataclass(frozen=True, eq=False)
class Scores:
    """One metric of D draws: estimates, true scores, and what intervals are made of, (D,) each.

    Attributes:
        rows: variance of the estimate over rows.
        single: the same of one repeat by itself, on average over repeats.
        repeats: variance between repeats.
        own: independent rows behind the score: those of the label for its recall.
        parts: (D, n) the rows' shares in the estimate, whose mean it is; nan for rows of others.
        open: (D,) whether reports give no upper end, since a label has too few rows.
    """

    metric: str
    value: FloatArray
    true: FloatArray
    rows: FloatArray
    single: FloatArray
    repeats: FloatArray
    own: FloatArray
    units: int
    count: int  # repeats
    parts: FloatArray
    open: npt.NDArray[np.bool_]

    @property
    def rate(self) -> bool:
        return self.metric not in metrics.LOSSES


def scores(found: Drawn) -> Iterator[Scores]:
    """Every metric of a cell; recall once a label that has `FEW` rows or more in the pool."""
    answers, targets = np.asarray(found["answers"], np.float64), found["targets"]
    if answers.shape[-1] == 1:
        yield _means("mae", np.abs(answers[..., 0] - targets[:, None]), found["mae"])
        return
    hits = (answers.argmax(axis=-1) == targets[:, None]).astype(np.float64)
    yield _means("accuracy", hits, found["accuracy"])
    chance = np.take_along_axis(answers, targets[:, None, :, None], axis=-1)[..., 0]
    yield _means("log_loss", -np.log(np.clip(chance, np.finfo(float).eps, 1.0)), found["log_loss"])
    yield _macro(answers, targets, found["macro_f1"])
    for label in np.flatnonzero(found["pool"] >= FEW):
        mine = targets == label
        kept = np.where(mine[:, None], hits, np.nan)
        yield _means("recall", kept, found["recall"][:, label])


def _means(metric: str, losses: FloatArray, true: FloatArray) -> Scores:
    """Of a mean over rows (D, R, n), or over those not nan; the jackknife in closed form."""
    own = np.isfinite(losses[:, 0]).sum(axis=1)
    parts = losses.mean(axis=1)
    value = np.nanmean(parts, axis=1)
    n = losses.shape[2]
    # Leaving out a row of another label changes nothing, and n - 1 of n counts all rows.
    off = np.where(np.isfinite(parts), parts - value[:, None], 0.0)
    left = off / np.maximum(own - 1, 1)[:, None]
    rows = (n - 1) / n * ((left**2).sum(axis=1) - left.sum(axis=1) ** 2 / n)
    single = np.nanvar(losses, axis=2).mean(axis=1) / np.maximum(own - 1, 1)
    repeats = np.nanmean(losses, axis=2).var(axis=1, ddof=1)
    return Scores(
        metric, value, true, rows, single, repeats, own.astype(float), n, losses.shape[1], parts,
        np.zeros(len(value), bool),
    )  # fmt: skip


def _macro(answers: FloatArray, targets: npt.NDArray[Any], true: FloatArray) -> Scores:
    draws, count, n, labels = answers.shape
    weightings = np.vstack([np.ones((1, n)), 1.0 - np.eye(n)])
    each = np.empty((draws, count, n + 1))
    for draw in range(draws):
        truth = np.eye(labels)[targets[draw]]
        for repeat in range(count):
            answered = np.eye(labels)[answers[draw, repeat].argmax(axis=-1)]
            counts = [weightings @ part for part in (truth * answered, truth, answered)]
            each[draw, repeat] = macro_f1(*counts)
    whole, left = each[..., 0], each[..., 1:]
    mean, value = left.mean(axis=1), whole.mean(axis=1)
    parts = n * value[:, None] - (n - 1) * mean
    single = (n - 1) * left.var(axis=2).mean(axis=1)
    return Scores(
        "macro_f1", value, true, (n - 1) * mean.var(axis=1), single,
        whole.var(axis=1, ddof=1), np.full(draws, float(n)), n, count, parts,
        np.array([spreads.too_rare("macro_f1", one) for one in targets]),
    )  # fmt: skip


def macro_f1(hits: FloatArray, support: FloatArray, answered: FloatArray) -> FloatArray:
    """(B,) from weights (B, C), over the labels that occur."""
    mass = support + answered
    f1 = 2 * hits / np.where(mass > 0, mass, 1.0)
    return np.asarray(f1.sum(axis=1) / np.maximum((mass > 0).sum(axis=1), 1))


def shipped(one: Scores) -> tuple[FloatArray, FloatArray]:
    """What reports hold: `supertune.evaluation.spread`."""
    ends = []
    for draw in range(len(one.value)):
        found = Spread(
            one.value[draw : draw + 1], one.rows[draw : draw + 1], one.repeats[draw : draw + 1],
            True, FOLDS, float(one.units),
        )  # fmt: skip
        value, parts = float(one.value[draw]), found.parts(0, one.metric, rate=one.rate)
        if one.rate:
            ends.append(spreads.of_rate(value, *parts, float(one.own[draw]), one.units))
        else:
            ends.append(spreads.of_loss(value, sum(parts), one.units))
    low, high = np.array(ends).T
    return low, high


def bootstrap(one: Scores) -> tuple[FloatArray, FloatArray]:
    """Percentiles over rows drawn anew (Efron 1979), for shares no narrower than Wilson (1927):
    what reports held before."""
    low, high = np.empty_like(one.value), np.empty_like(one.value)
    drawn = next(iter(Sampling(one.units, 0).drawn()))[:RESAMPLES]
    for draw, parts in enumerate(one.parts):
        known = np.isfinite(parts)
        size = drawn[:, known].sum(axis=1)
        means = (drawn[:, known] @ parts[known])[size > 0] / size[size > 0]
        low[draw], high[draw] = np.quantile(means, (0.025, 0.975))
    if one.rate:
        least = np.array([wilson(v, u) for v, u in zip(_share(one.value), one.own)])
        low, high = np.minimum(low, least[:, 0]), np.maximum(high, least[:, 1])
    return low, high


def central_limit(one: Scores) -> tuple[FloatArray, FloatArray]:
    """Normal, by the variance of the rows' losses (Bayle et al. 2020)."""
    half = Z * np.sqrt(one.rows)
    return one.value - half, one.value + half


def corrected_t(one: Scores) -> tuple[FloatArray, FloatArray]:
    """Resampled t test of Nadeau and Bengio (2003) over R x 5 folds; the variance of a fold's score
    is taken as that of n / 5 rows drawn at random."""
    folds = one.count * FOLDS
    variance = (1 / folds + 1 / (FOLDS - 1)) * FOLDS * one.single
    half = spreads.student(folds - 1) * np.sqrt(variance)
    return one.value - half, one.value + half


def effective_wilson(one: Scores) -> tuple[FloatArray, FloatArray]:
    """Wilson (1927) at four of five rows, the share that a fold learned from; of losses the
    normal interval at as many."""
    if not one.rate:
        half = Z * np.sqrt(one.rows * FOLDS / (FOLDS - 1))
        return one.value - half, one.value + half
    share = (FOLDS - 1) / FOLDS
    ends = [wilson(v, share * u) for v, u in zip(_share(one.value), one.own)]
    low, high = np.array(ends).T
    return low, high


RIVALS: Mapping[str, Callable[[Scores], tuple[FloatArray, FloatArray]]] = {
    "shipped": shipped,
    "bootstrap over rows (Efron 1979; Wilson 1927)": bootstrap,
    "central limit (Bayle et al. 2020)": central_limit,
    "corrected t (Nadeau and Bengio 2003)": corrected_t,
    "Wilson at 4/5 of the rows": effective_wilson,
}


def judged(group: list[Scores]) -> dict[str, Any]:
    """One metric of a cell, for recall all labels: bias, oracle, and each rival's coverage and
    median width over the oracle's; ``open``: the share of draws without an upper end, which do not
    count where intervals do, and ``above`` how often the lower end of these holds (None: of none).

    The oracle knows the distribution of (estimate - true score) over all draws and shifts its
    2.5 to 97.5 % range by each estimate: the narrowest interval of one width that covers 95 %,
    give or take. No one who has one file of rows can have it.
    """
    errors = [one.value - one.true for one in group]
    oracles = [float(np.ptp(np.quantile(error, (0.025, 0.975)))) for error in errors]
    found: dict[str, Any] = {
        "bias": float(np.mean([error.mean() for error in errors])),
        "oracle": float(np.mean(oracles)),
        "covered": {},
        "width": {},
        "least": {},
        **_open(group),
    }
    closed = [~one.open for one in group]
    if not all(kept.any() for kept in closed):
        return found
    for name, rival in RIVALS.items():
        shares, widths = [], []
        for one, kept, oracle in zip(group, closed, oracles, strict=True):
            low, high = rival(one)
            if one.rate:
                low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
            shares.append(float(((low <= one.true) & (one.true <= high))[kept].mean()))
            width = float(np.median((high - low)[kept]))
            widths.append(width / (oracle if oracle > 0 else math.nan))
        found["covered"][name] = float(np.mean(shares))
        found["width"][name] = float(np.mean(widths))
        found["least"][name] = min(shares)
    return found


def _open(group: list[Scores]) -> dict[str, Any]:
    """See `judged`."""
    held = [(shipped(one)[0] <= one.true)[one.open] for one in group]
    below = np.concatenate(held)
    return {
        "open": float(np.mean([one.open.mean() for one in group])),
        "above": float(below.mean()) if len(below) else None,
    }


def _share(value: FloatArray) -> FloatArray:
    return np.clip(value, 0.0, 1.0)
