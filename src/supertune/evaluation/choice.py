"""Choosing among candidates, and an honest score of what was chosen.

The winner's own cross-validated score flatters it: with many candidates, one is lucky. The
bootstrap bias-corrected cross-validation of Tsamardinos, Greasidou and Borboudakis (2018)
repeats the choice inside each resample of the rows, and scores what it chose there on the rows
that the resample left out. Only predictions are needed; no model is trained again.

Shapes: m candidates, R repeats, n rows, C labels, B resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray
from supertune.evaluation import spread as spreads
from supertune.evaluation.intervals import (
    Estimate,
    around,
    difference,
    enclosed,
    fold_source,
    open_above,
    paired_spread,
    spread_how,
)
from supertune.evaluation.resampling import Sampling, Score, averaged, repeats_of
from supertune.evaluation.spread import Spread
from supertune.metrics import LOSSES, RATES, SPELLED

TIE = 1e-9  # scores that differ by less are equal


@dataclass(frozen=True)
class Standing:
    """One candidate's own cross-validated score, not corrected for anything."""

    name: str
    estimate: Estimate
    standard_error: float
    within: bool  # so near to the best that it would be chosen if nothing simpler were


@dataclass(frozen=True)
class Choice:
    """What was chosen and why.

    Attributes:
        winner: the candidate's name.
        estimate: its score, corrected for having been chosen.
        difference: corrected score minus that of the baseline, on the same rows; None when no
            baseline was given.
        table: every candidate, in the order given.
        why: one sentence.
    """

    winner: str
    estimate: Estimate
    difference: Estimate | None
    table: tuple[Standing, ...]
    why: str


def corrected_choice(
    score: Score,
    candidates: Mapping[str, FloatArray],
    targets: npt.NDArray[Any],
    metric: str,
    larger: bool,
    order: Sequence[str],
    *,
    tolerance: float,
    seed: int,
    decider: str | None = None,
    serving: Mapping[str, str] | None = None,
    baseline: FloatArray | None = None,
    groups: IntArray | None = None,
    weights: FloatArray | None = None,
    folds: int | None = None,
    rates: Collection[str] = RATES,
    losses: Collection[str] = LOSSES,
) -> Choice:
    """The best candidate by ``decider`` among those that the rows cannot tell from the best by
    ``metric``; without a decider the simplest of them: with a ``tolerance`` of 1 the rule of one
    standard error (Breiman et al. 1984); with 0 only equally good ones give way to simpler ones.

    Args:
        score: all metrics of one set of predictions; ``metric`` is what is compared.
        candidates: name -> (R, n, C) out-of-fold predictions on the same folds.
        targets: (n,) or (n, C).
        larger: whether more of the metric is better.
        order: the names, simplest first; those of ``serving`` before them.
        serving: what some of them do that these rows cannot judge, to be said where it decides.
        tolerance: by how many standard errors the one that is chosen may be worse than the best.
        decider: a loss among the metrics that ``score`` gives.
        baseline: (R, n, C) of what the winner is compared with, if anything.
        groups, weights, folds, rates, losses: as in `intervals.from_folds`.

    Raises:
        ValueError: when there is no candidate, or ``order`` and ``candidates`` differ.
    """
    if not candidates or sorted(order) != sorted(candidates):
        raise ValueError("order must name every candidate once, and there must be one")
    sampling = Sampling(len(targets), seed, groups, weights)
    if sampling.units < 2:
        raise ValueError("one independent unit cannot be split into choosing and judging")
    systems = [*(candidates[name] for name in order), *([] if baseline is None else [baseline])]
    source = fold_source(len(repeats_of(systems[0])), folds, sampling.n)
    repeated = (repeats_of(candidates[name]) for name in order)
    scored = (spreads.scored(score, each, targets, [metric]) for each in repeated)
    spread = [spreads.spread(each, sampling, folds) for each in scored]
    contest = _Contest(
        metric, larger, metric in rates, metric in losses, source, sampling, tuple(order), spread,
        tolerance, decider, serving or {},
    )  # fmt: skip

    def apart(winner: int) -> Spread:
        pair = systems[winner], systems[-1]
        return paired_spread(score, *pair, targets, metric, sampling, folds)

    found = _settle(contest, *_drawn(score, systems, targets, metric, decider, sampling), apart)
    return _opened(found, targets)


def _opened(found: Choice, targets: npt.NDArray[Any]) -> Choice:
    table = tuple(replace(one, estimate=open_above(one.estimate, targets)) for one in found.table)
    return replace(found, estimate=open_above(found.estimate, targets), table=table)


def _drawn(
    score: Score,
    systems: Sequence[FloatArray],
    targets: npt.NDArray[Any],
    metric: str,
    decider: str | None,
    sampling: Sampling,
) -> tuple[FloatArray, FloatArray, FloatArray, tuple[FloatArray, FloatArray] | None]:
    """Scores on all rows (m,), on rows drawn and on rows left out (B, m); the deciding losses on
    all rows and on those drawn."""
    metrics = [metric, decider or metric]
    both = averaged(score, systems, targets, metrics, sampling.weightings())
    outside = averaged(score, systems, targets, [metric], sampling.left_out())[:, :, 0]
    # Resamples that leave nothing out (they happen with very few rows or groups) judge nothing.
    usable = np.concatenate([block.any(axis=1) for block in sampling.left_out()])
    scores, losses = both[:, :, 0], both[:, :, 1]
    decided = None if decider is None else (losses[0], losses[1:][usable])
    return scores[0], scores[1:][usable], outside[usable], decided


@dataclass(frozen=True, eq=False)
class _Contest:
    """What every step of a choice must know; ``spread`` has each candidate's variances."""

    metric: str
    larger: bool
    rate: bool
    loss: bool
    source: str
    sampling: Sampling
    order: tuple[str, ...]
    spread: Sequence[Spread]
    tolerance: float
    decider: str | None
    serving: Mapping[str, str]

    def within(self, scores: FloatArray, errors: FloatArray) -> npt.NDArray[np.bool_]:
        """(B, m) whether a candidate is as good as the best or worse by no more than the
        tolerance, in standard errors (m,) of the best; scores (B, m)."""
        signed = scores if self.larger else -scores
        best = signed.argmax(axis=1)
        slack = np.maximum(self.tolerance * errors[best], TIE)
        return np.asarray(signed >= (signed[np.arange(len(signed)), best] - slack)[:, None])

    def pick(self, scores: FloatArray, errors: FloatArray, losses: FloatArray | None) -> IntArray:
        """(B,) index of the candidate `within` with the least of ``losses`` (B, m), or the first;
        of equals the first."""
        near = self.within(scores, errors)
        if losses is None:
            return np.asarray(near.argmax(axis=1))
        left = np.where(near, losses, np.inf)
        return np.asarray((left <= left.min(axis=1, keepdims=True) + TIE).argmax(axis=1))

    @property
    def kinds(self) -> tuple[Collection[str], Collection[str]]:
        """Which metrics are rates, and which losses, as `intervals.around` asks."""
        return ({self.metric} if self.rate else ()), ({self.metric} if self.loss else ())

    def how(self, spread: Spread, prefix: str = "") -> str:
        text = (
            f"{prefix}{self.source}; corrected for having chosen among {len(self.order)} by "
            f"bootstrap over {self.sampling.kind} (Tsamardinos et al. 2018)"
        )
        return spread_how(text, self.sampling, spread.repeated, self.rate and not prefix)


def _settle(
    contest: _Contest,
    full: FloatArray,
    inside: FloatArray,
    outside: FloatArray,
    decided: tuple[FloatArray, FloatArray] | None,
    apart: Callable[[int], Spread],
) -> Choice:
    """From scores on all rows (m,), on rows drawn and on rows left out (B, m) to the answer; a
    last column beyond the candidates is the baseline's, from which ``apart`` tells the winner.
    ``decided``: losses of the decider, on all rows and on rows drawn."""
    m = len(contest.order)
    errors = inside[:, :m].std(axis=0)
    losses = None if decided is None else (decided[0][None, :m], decided[1][:, :m])
    winner = int(contest.pick(full[None, :m], errors, losses and losses[0])[0])
    table = _standings(contest, full[:m], errors)
    picked = contest.pick(inside[:, :m], errors, losses and losses[1])
    # Moved by how much the final winner's mean score on left-out rows differs from its score on
    # all rows. For a mean over rows that is Monte Carlo noise, which a control variate removes;
    # for macro F1 it is the bias of scoring few rows.
    moved = outside + full - outside.mean(axis=0)
    honest = outside[np.arange(len(outside)), picked] + full[winner] - outside[:, winner].mean()
    # With one candidate nothing was chosen, and the correction would only add noise.
    estimate = table[winner].estimate
    if m > 1:
        estimate = _corrected(contest, winner, float(honest.mean()), float(full[winner]))
    gap = None
    if len(full) > m:
        value = float((honest - moved[:, m]).mean())
        gap = _difference(contest, apart(winner), value)
    return Choice(
        contest.order[winner],
        estimate,
        gap,
        table,
        _why(contest, table, winner, losses and losses[0][0]),
    )


def _standings(contest: _Contest, full: FloatArray, errors: FloatArray) -> tuple[Standing, ...]:
    near = contest.within(full[None], errors)[0]
    return tuple(
        Standing(
            name,
            around(contest.metric, spread, 0, contest.source, contest.sampling, *contest.kinds),
            float(errors[index]),
            bool(near[index]),
        )
        for index, (name, spread) in enumerate(zip(contest.order, contest.spread, strict=True))
    )


def _corrected(contest: _Contest, winner: int, value: float, raw: float) -> Estimate:
    """What the choice is worth on rows it was not made on."""
    if contest.rate:
        value = min(1.0, max(0.0, value))
    spread = contest.spread[winner]
    rows, models = spread.parts(0, contest.metric, rate=contest.rate)
    return enclosed(
        contest.metric, value, (rows, models + (value - raw) ** 2), contest.how(spread),
        contest.sampling, contest.sampling.units * spread.worth, contest.rate, contest.loss,
    )  # fmt: skip


def _difference(contest: _Contest, spread: Spread, value: float) -> Estimate:
    moved = value - float(spread.value[0])
    variance = sum(spread.parts(0, contest.metric, rate=contest.rate)) + moved**2
    return difference(
        contest.metric, value, spreads.plain(value, variance, contest.sampling.units),
        contest.how(spread, "paired; "), contest.sampling, contest.rate,
    )  # fmt: skip


_ERRORS = {1.0: "one standard error", 2.0: "two standard errors"}


def _why(
    contest: _Contest, table: Sequence[Standing], winner: int, losses: FloatArray | None
) -> str:
    """Why, from the losses of the decider (m,), if there is one."""
    chosen, value = table[winner], table[winner].estimate.value
    if len(table) == 1:
        return f"{chosen.name} was the only candidate."
    sign = 1.0 if contest.larger else -1.0
    best = max(table, key=lambda one: sign * one.estimate.value)
    metric = SPELLED.get(contest.metric, contest.metric)
    if abs(value - best.estimate.value) > TIE:
        within = _ERRORS.get(contest.tolerance, f"{contest.tolerance:g} standard errors")
        own = f"{chosen.name} ({metric} {value:.3f})"
        if does := contest.serving.get(chosen.name):
            return (
                f"{own} {does}, which these rows cannot judge, and is within {within} "
                f"({best.standard_error:.3f}) of the best, {best.name} ({best.estimate.value:.3f})."
            )
        if losses is None or contest.decider is None:
            return (
                f"{own} is the simplest within {within} ({best.standard_error:.3f}) of the best, "
                f"{best.name} ({best.estimate.value:.3f})."
            )
        return (
            f"These rows cannot tell {own} from {best.name} ({best.estimate.value:.3f}): the "
            f"difference is within {within} ({best.standard_error:.3f} each). Of all such, "
            f"{chosen.name} has the lowest {_said(contest.decider)}, {losses[winner]:.3f}."
        )
    equal = [one.name for one in table if one is not chosen and _equal(one, value)]
    if not equal:
        return f"{chosen.name} has the best {metric}, {value:.3f}."
    what = "is simpler" if losses is None else f"the lowest {_said(contest.decider)} of them"
    return (
        f"{chosen.name} has the best {metric}, {value:.3f}, as {' and '.join(equal)} "
        f"{'has' if len(equal) == 1 else 'have'}, and {what}."
    )


def _equal(one: Standing, value: float) -> bool:
    return abs(one.estimate.value - value) <= TIE


def _said(metric: str | None) -> str:
    return str(metric).replace("_", " ")
