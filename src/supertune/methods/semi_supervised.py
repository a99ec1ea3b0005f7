"""A linear head that learns from unlabelled rows too, where labelled rows do not speak against it.

Two heads stand for choice: the plain one of `named_probe`, and one that was taught labels for the
unlabelled rows (`supertune.methods._label_pool`). Both are fitted on parts of the labelled rows,
with all unlabelled rows present in each, and asked about the labelled rows held out. The plain head
is kept where the other is right less often by more than half a standard error, and where two ways
to label the unlabelled rows disagree about them. The choice is part of the method: where folds
judge it, it is made again in each of them.

Without unlabelled rows, with too few of them or with several labels a row, it is `named_probe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import Field

from supertune.contracts import (
    Finding,
    FloatArray,
    HeadSpec,
    Input,
    IntArray,
    Lens,
    Notes,
    Options,
    Problem,
    State,
    features,
)
from supertune.limits import check
from supertune.methods import linear_probe, named_probe
from supertune.methods._guard import HeldOut, Judgement, held_out, judged
from supertune.methods._label_pool import LabelPool, Settings, softmax
from supertune.methods.linear_probe import Head, RidgeBatch, one_hot
from supertune.methods.named_probe import NamedProbeOptions, averaged, directions

SHIFTED = 0.25  # of the rows; counted answers were off by up to .15 (docs/log.md)
FEWEST = 10  # unlabelled rows a class: with fewer they taught less than the labels lost


class SemiSupervisedOptions(NamedProbeOptions):
    """Keys of ``semi_supervised``."""

    guard: bool = Field(
        True, description="false uses the unlabelled rows whatever the labelled rows say of it"
    )
    neighbours: int = Field(10, ge=1, le=100, description="edges from each row of the graph")
    concentration: float = Field(
        20.0, gt=0, le=1000, description="of a class around its direction, in the mixture"
    )


@dataclass(frozen=True, eq=False)
class Fitted:
    """A linear head, and how it came about."""

    head: Head
    told: Notes

    @property
    def tuned_parameters(self) -> int:
        return self.head.tuned_parameters

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        return self.head.logits(inputs, lens)

    def state(self) -> State:
        return self.head.state()

    def notes(self) -> Notes:
        return self.told


class SemiSupervised:
    """See `supertune.contracts.FoldSolver`. ``takes_unlabelled``: `auto` tries it where there are
    unlabelled rows."""

    name = "semi_supervised"
    summary = "A linear head taught by unlabelled rows too, where labelled rows allow"
    reference = (
        "Nigam et al. 2000 (mixture); Zhou et al. 2004 (graph); Hinton et al. 2015, "
        "arXiv:1503.02531 (distillation)"
    )
    needs = frozenset({"features"})
    objectives = frozenset({"classify"})
    simplicity = 17  # it holds the plain head and its own guard, so it goes before other heads
    options: type[Options] = SemiSupervisedOptions
    takes_unlabelled = True

    def fit(self, problem: Problem, options: SemiSupervisedOptions) -> Fitted:
        if why := _unusable(problem):
            return Fitted(named_probe.METHOD.fit(problem, options), _unused(problem, why))
        work = _Work.of(problem, options)
        head, judgement = work.learned(np.arange(len(problem.examples)))
        return Fitted(head, work.notes(head, judgement))

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Head:
        return Head.from_arrays(state.arrays)

    def out_of_fold(
        self,
        problem: Problem,
        options: SemiSupervisedOptions,
        folds: Sequence[tuple[IntArray, IntArray]],
    ) -> list[FloatArray]:
        if _unusable(problem):
            return named_probe.METHOD.out_of_fold(problem, options, folds)
        work = _Work.of(problem, options)
        answers = []
        for train, test in folds:
            check()
            head, _ = work.learned(train)
            answers.append(head.apply(work.features[test].astype(head.weight.dtype)))
        return answers


@dataclass(frozen=True, eq=False)
class _Work:
    """Rows with their features, once for all folds: features (n, d), targets (n, C)."""

    problem: Problem
    options: SemiSupervisedOptions
    features: FloatArray
    targets: FloatArray
    weights: FloatArray
    names: FloatArray
    pool: LabelPool

    @classmethod
    def of(cls, problem: Problem, options: SemiSupervisedOptions) -> _Work:
        given = problem.examples
        weights = np.ones(len(given)) if given.weights is None else given.weights
        rows = features(problem.unlabelled, problem.lens, prediction=False)
        return cls(
            problem,
            options,
            problem.features,
            one_hot(given.targets, problem.head.outputs),
            np.asarray(weights, dtype=np.float64),
            directions(problem, options.phrase),
            LabelPool.of(rows, _settings(options)),
        )

    def learned(self, rows: IntArray) -> tuple[Head, Judgement | None]:
        """The head for the labelled rows at ``rows``, and what held-out ones of them said."""
        groups = self.problem.examples.groups
        x, y, own = self.features[rows], self.targets[rows], self.weights[rows]
        chosen = None if groups is None else groups[rows]
        asked = held_out(y.argmax(axis=1), chosen, self.problem.seed)
        weights = np.concatenate([own[None], own * ~asked.rows])
        plain = self._plain(x, y, weights)
        chances, agreement = self.pool.taught(x, y, weights, plain)
        taught = self.pool.heads(chances)
        answers = [np.stack([head.apply(x) for head in heads[1:]]) if len(heads) > 1 else None
                   for heads in (plain, taught)]  # fmt: skip
        if answers[0] is None or answers[1] is None:
            return (plain[0] if self.options.guard else _heated(taught[0], 16.0)), None
        judgement = judged(answers[0], answers[1], y, own, asked, agreement)
        if self.options.guard and not judgement.better:
            return plain[0], judgement
        return _heated(taught[0], _heat(answers[1], y, own, asked)), judgement

    def _plain(self, x: FloatArray, y: FloatArray, weights: FloatArray) -> list[Head]:
        """The plain head of each problem (F, n), those of equally many rows as one."""
        counts = (weights > 0).sum(axis=1)
        heads: list[Head | None] = [None] * len(weights)
        for count in np.unique(counts):
            which = np.flatnonzero(counts == count)
            rows = np.stack([np.flatnonzero(weights[i] > 0) for i in which])
            own = np.take_along_axis(weights[which], rows, axis=1)
            batch = RidgeBatch(x[rows], y[rows], own, multi_label=False)
            found = averaged(batch, self.names, x[rows], self.options)
            for i, head in zip(which, found, strict=True):
                heads[i] = head
        return [head for head in heads if head is not None]

    def notes(self, head: Head, judgement: Judgement | None) -> Notes:
        """What the unlabelled rows were worth, in words and as JSON."""
        labels = self.problem.examples.labels
        answers = head.apply(self.pool.features).argmax(axis=1)
        shares = np.bincount(answers, minlength=len(labels)) / len(answers)
        used = not self.options.guard or (judgement is not None and judgement.better)
        told: dict[str, Any] = {
            "rows": len(self.pool),
            "used": used,
            "guarded": self.options.guard,
            "shares": {name: float(one) for name, one in zip(labels, shares, strict=True)},
            **({} if judgement is None else judgement.as_dict()),
        }
        code = "unlabelled_used" if used else "unlabelled_left_out"
        finding = Finding(code, _said(len(self.pool), used, judgement), (), "info")
        other = _other_shares(labels, shares, self.targets.mean(axis=0))
        return Notes(findings=(finding, *other), unlabelled=told)


def _settings(options: SemiSupervisedOptions) -> Settings:
    return Settings(neighbours=options.neighbours, concentration=options.concentration)


def _heat(answers: FloatArray, y: FloatArray, weights: FloatArray, asked: HeldOut) -> float:
    """The temperature of the least log loss on rows held out, with one imaginary row that is
    undecided, as for the plain head."""
    doubt = 1.0 / (1 + len(y))
    wanted = (1 - doubt) * y + doubt / y.shape[1]
    share = asked.rows * weights
    losses = []
    for heat in linear_probe.TEMPERATURES:
        chances = softmax(answers * heat)
        losses.append(-(share * (wanted * np.log(chances + 1e-300)).sum(axis=2)).sum())
    return float(linear_probe.TEMPERATURES[int(np.argmin(losses))])


def _heated(head: Head, heat: float) -> Head:
    kind = np.float32
    return replace(
        head, weight=(head.weight * heat).astype(kind), bias=(head.bias * heat).astype(kind)
    )


def _unusable(problem: Problem) -> str:
    """Why the unlabelled rows cannot be learned from; "" where they can."""
    least = FEWEST * problem.head.outputs
    if not problem.unlabelled:
        return "there are none: name a file of them with --unlabeled"
    if problem.head.multi_label:
        return "rows may have several labels, for which no way to use them is built in"
    if len(problem.unlabelled) < least:
        return (
            f"{len(problem.unlabelled)} are too few for {problem.head.outputs} labels; "
            f"give {least} or more"
        )
    return ""


def _unused(problem: Problem, why: str) -> Notes:
    message = f"Unlabelled rows are not used, since {why}. This is a head from labelled rows alone."
    told = {"rows": len(problem.unlabelled), "used": False, "why": why}
    severity: Any = "info" if problem.unlabelled else "warning"
    return Notes(findings=(Finding("unlabelled_left_out", message, (), severity),), unlabelled=told)


def _other_shares(labels: Sequence[str], shares: FloatArray, labelled: FloatArray) -> list[Finding]:
    """A warning where the classes' shares differ by more than counting answers is wrong by."""
    gap = shares - labelled
    if np.abs(gap).sum() / 2 < SHIFTED:
        return []
    most = int(np.argmax(np.abs(gap)))
    message = (
        f"The labels are shared out differently in the unlabelled rows: about {shares[most]:.0%} "
        f"look like '{labels[most]}', of the labelled rows {labelled[most]:.0%} are. Scores from "
        "the labelled rows are for their shares; label some rows drawn at random."
    )
    return [Finding("shares_differ", message)]


def _said(rows: int, used: bool, judgement: Judgement | None) -> str:
    """In words."""
    begun = f"{rows:,} unlabelled rows were {'used' if used else 'tried and left out'}"
    if judgement is None:
        return f"{begun}: too few labelled rows to hold some out and see what they are worth."
    return f"{begun}: {judgement.words}"


METHOD = SemiSupervised()
