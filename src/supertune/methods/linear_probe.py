"""A linear head on frozen features: ridge regression on labels or values, in closed form.

The penalty is chosen by exact leave-one-out, and the temperature that turns scores into
probabilities by the leave-one-out log loss, so nothing is judged by what fitted it and no grid
search is run. All folds of a cross-validation are solved as one batch.

Columns of numbers come in units of their own, so they are standardised first; the features of a
backbone are not. Values are answered as they are, in float64, by the penalty of the least
leave-one-out squared error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from supertune.contracts import (
    Contribution,
    FloatArray,
    HeadSpec,
    Input,
    IntArray,
    Lens,
    Options,
    Problem,
    State,
    features,
)
from supertune.limits import Splitting, check, room
from supertune.methods import _attributing
from supertune.methods._views import VIEWS, in_views, widened

COPIES = 6  # of the rows of all folds, that solving them together holds at once
TEMPERATURES = np.geomspace(1.0, 64.0, 25)


class RidgeOptions(Options):
    """Keys of every head that is solved by ridge regression."""

    penalties: tuple[float, ...] = Field(
        (0.03, 0.1, 0.3, 1.0, 3.0),
        min_length=1,
        description="ridge penalties tried, ascending, in units of the mean squared norm",
    )


class LinearProbeOptions(RidgeOptions):
    """Keys of ``linear_probe``."""

    views: int = VIEWS


@dataclass(frozen=True, eq=False)
class Head:
    """logits = features @ weight + bias; weight (d, C), bias (C,), float32, of values float64."""

    weight: FloatArray
    bias: FloatArray

    @property
    def tuned_parameters(self) -> int:
        return int(self.weight.size + self.bias.size)

    def apply(self, features: FloatArray) -> FloatArray:
        return np.asarray(features @ self.weight + self.bias, dtype=np.float64)

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        return self.apply(features(inputs, lens, width=len(self.weight)))

    def ways(self, lens: Lens | None) -> tuple[str, ...]:
        """See `supertune.contracts.Explains`."""
        return _attributing.ways(lens)

    def contributions(
        self, inputs: Sequence[Input], contrasts: FloatArray, lens: Lens | None, way: str
    ) -> list[Contribution]:
        assert lens is not None
        weights, offsets = contrasts @ self.weight.T, contrasts @ self.bias
        return _attributing.shares(inputs, weights, offsets, lens, way)

    def arrays(self) -> dict[str, Any]:
        return {"head.weight": self.weight, "head.bias": self.bias}

    def state(self) -> State:
        return State(self.arrays())

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Head:
        return cls(arrays["head.weight"], arrays["head.bias"])


class LinearProbe:
    """See `supertune.contracts.FoldSolver`."""

    name = "linear_probe"
    summary = "A linear head on frozen features, closed form, penalty by leave-one-out"
    reference = "Hoerl & Kennard 1970 (ridge); Allen 1974 (leave-one-out in closed form)"
    needs = frozenset({"features"})
    objectives = frozenset({"classify", "regress"})
    simplicity = 20
    calibrates = True
    options: type[Options] = LinearProbeOptions

    def fit(self, problem: Problem, options: LinearProbeOptions) -> Head:
        problem = widened(problem, options.views)
        x, y = arrays(problem)
        batch = ridge(problem, x[None], y[None], row_weights(problem)[None])
        return batch.heads(options.penalties)[0]

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Head:
        return Head.from_arrays(state.arrays)

    def influence(
        self, problem: Problem, options: LinearProbeOptions, inputs: Sequence[Input]
    ) -> FloatArray:
        """See `supertune.contracts.Influencing`."""
        x, y = arrays(problem)
        batch = ridge(problem, x[None], y[None], row_weights(problem)[None])
        asked = features(inputs, problem.lens, width=x.shape[1])
        return batch.influence(asked, options.penalties)

    def out_of_fold(
        self,
        problem: Problem,
        options: LinearProbeOptions,
        folds: Sequence[tuple[IntArray, IntArray]],
    ) -> list[FloatArray]:
        wide = widened(problem, options.views)
        folds = in_views(folds, options.views)
        return by_fold(wide, folds, lambda ridge, _: ridge.heads(options.penalties))


def by_fold(
    problem: Problem,
    folds: Sequence[tuple[IntArray, IntArray]],
    solved: Callable[[RidgeBatch, IntArray], list[Head]],
) -> list[FloatArray]:
    """Logits (rows asked about, C) of each fold's own head; folds of one size are ``solved`` as
    one batch of F problems, given with their rows (F, n)."""
    x, y = arrays(problem)
    weights = row_weights(problem)
    answers: list[FloatArray] = [np.empty(0)] * len(folds)
    by_size: dict[int, list[int]] = {}
    for number, (train, _) in enumerate(folds):
        by_size.setdefault(len(train), []).append(number)

    def solve_parts(parts: Sequence[Sequence[int]]) -> None:
        for numbers in parts:
            check()
            train = np.stack([folds[number][0] for number in numbers])
            batch = ridge(problem, x[train], y[train], weights[train])
            for head, number in zip(solved(batch, train), numbers, strict=True):
                answers[number] = head.apply(x[folds[number][1]].astype(head.weight.dtype))

    for size, alike in by_size.items():
        splitting = Splitting()
        splitting.start(COPIES * 8 * len(alike) * size * x.shape[1], room())
        splitting.over(alike, solve_parts)
    return answers


def solve(
    features: FloatArray,
    targets: FloatArray,
    weights: FloatArray,
    penalties: Sequence[float],
    multi_label: bool,
) -> Head:
    """The head for features (n, d), targets (n, C) of zeros and ones, row weights (n,)."""
    batch = RidgeBatch(features[None], targets[None], weights[None], multi_label)
    return batch.heads(penalties)[0]


def solve_values(
    features: FloatArray, targets: FloatArray, weights: FloatArray, penalties: Sequence[float]
) -> Head:
    """The head for features (n, d) and values (n,), row weights (n,)."""
    batch = RidgeBatch(features[None], targets[None, :, None], weights[None], False, valued=True)
    return batch.heads(penalties)[0]


def softened(
    features: FloatArray,
    targets: FloatArray,
    weights: FloatArray,
    penalties: Sequence[float],
    multi_label: bool,
) -> Head:
    """The head of `solve`, scaled down until its log loss on the rows is what it has on rows
    left out (or nine tenths of a guess's, where it has no less)."""
    batch = RidgeBatch(features[None], targets[None], weights[None], multi_label)
    head = batch.heads(penalties)[0]
    logits = head.apply(features)[None]

    def loss(scale: float) -> float:
        return float((batch.share * batch.log_loss(logits * scale, batch.targets)).sum())

    wanted = min(float(batch.left_out[0]), 0.9 * loss(0.0))
    low, high = 0.0, 1.0
    for _ in range(0 if loss(1.0) >= wanted else 40):
        middle = (low + high) / 2
        low, high = (middle, high) if loss(middle) > wanted else (low, middle)
    return Head(*((array * high).astype(np.float32) for array in (head.weight, head.bias)))


class RidgeBatch:
    """F weighted ridge problems at once through the eigenvectors of their Gram matrices.

    With centred rows scaled by the root of their weight, Z = U S Vᵀ, the fitted values are
    U diag(s²/(s²+λ)) Uᵀ y for every λ, and a row's leave-one-out residual is its residual
    divided by one minus its leverage. Shapes: F problems, n rows, d features, C outputs.

    With ``together`` k, each k rows in a row are views of one: they are left out together, and
    the first of them alone is judged.
    """

    def __init__(
        self,
        features: FloatArray,
        targets: FloatArray,
        weights: FloatArray,
        multi_label: bool,
        *,
        valued: bool = False,
        standardise: bool = False,
        together: int = 1,
    ) -> None:
        self.together = together
        x = features.astype(np.float64)
        y = targets.astype(np.float64)
        share = weights / weights.sum(axis=1, keepdims=True)
        self.multi_label, self.valued = multi_label, valued
        self.targets = y
        self.root = np.sqrt(weights)[..., None]
        self.mean_x = np.einsum("fn,fnd->fd", share, x)[:, None]
        self.mean_y = np.einsum("fn,fnc->fc", share, y)[:, None]
        self.share = share
        centred = x - self.mean_x
        self.unit = np.ones((len(x), 1, 1))
        if standardise:
            spread = np.sqrt(np.einsum("fn,fnd->fd", share, centred**2))[:, None]
            # What rounding leaves of a column that is constant in a fold is no spread.
            self.unit = np.where(spread > 1e-12 * np.abs(x).max(axis=1)[:, None], spread, np.inf)
        self.z = centred / self.unit * self.root
        self.residual_y = (y - self.mean_y) * self.root
        primal = x.shape[1] > x.shape[2]
        self.decompose(_t(self.z) @ self.z if primal else self.z @ _t(self.z), primal=primal)

    def decompose(self, gram: FloatArray, *, primal: bool = False) -> None:
        """Eigenvalues and eigenvectors of the Gram matrices (F, n, n), or (F, d, d) of columns."""
        values, vectors = np.linalg.eigh(gram)
        self.values = np.clip(values, 0.0, None)
        floor = self.values[:, -1:] * 1e-12 + 1e-300
        if primal:
            self.left = self.z @ vectors / np.sqrt(np.maximum(self.values, floor))[:, None]
        else:
            self.left = vectors
        self.left = self.left * (self.values > floor)[:, None]
        rows = self.residual_y.shape[1] / self.together  # of which views share the weight
        self.scale = np.maximum(self.values.sum(axis=1) / rows, 1e-12)
        self.projected = _t(self.left) @ self.residual_y

    def beside(self, scores: FloatArray) -> RidgeBatch:
        """The same problems asked for what ``scores`` (F, n, C) leave of the targets. What
        `assess` says is of both together; the eigenvectors are found once."""
        other = copy(self)
        rest = self.targets - scores
        other.mean_y = np.einsum("fn,fnc->fc", self.share, rest)[:, None]
        other.residual_y = (rest - other.mean_y) * self.root
        other.projected = _t(self.left) @ other.residual_y
        return other

    def heads(self, penalties: Sequence[float]) -> list[Head]:
        """The head of each problem."""
        kind = np.float64 if self.valued else np.float32
        weight, bias = self.best(penalties)
        return [Head(w.astype(kind), b.astype(kind)) for w, b in zip(weight, bias, strict=True)]

    def best(self, penalties: Sequence[float]) -> tuple[FloatArray, FloatArray]:
        """weight (F, d, C) and bias (F, C), temperature included, at each problem's penalty,
        whose leave-one-out loss (F,) is then in ``left_out``."""
        penalty, heat = self._chosen(penalties)
        weight = self.lifted(self.shrunken(penalty))
        bias = self.mean_y - self.mean_x @ weight
        if self.multi_label:
            bias = bias - 0.5  # a score above one half means yes
        return weight * heat, (bias * heat)[:, 0]

    def influence(self, features: FloatArray, penalties: Sequence[float]) -> FloatArray:
        """(k, n, C) of the first problem: what the logits of ``features`` (k, d) lose when a row
        is left out.

        Without row i a ridge answers as if that row's target were what is answered to it without
        it, so the loss is the weight of row i in the answer times its leave-one-out residual
        (Cook & Weisberg 1982).
        """
        penalty, heat = self._chosen(penalties)
        lam = penalty[0] * self.scale[0]
        shrink = self.values[0] / (self.values[0] + lam)
        left, root = self.left[0], self.root[0]  # (n, r), (n, 1)
        leverage = (left**2) @ shrink + self.share[0]
        fitted = left @ (shrink[:, None] * self.projected[0])
        residual = (self.residual_y[0] - fitted) / root
        residual = residual / np.maximum(1.0 - leverage, 1e-9)[:, None]
        away = (features.astype(np.float64) - self.mean_x[0]) / self.unit[0]
        inner = (away @ self.z[0].T) @ left / (self.values[0] + lam)
        weight = inner @ left.T * root[:, 0] + self.share[0]  # (k, n)
        return np.asarray(weight[..., None] * residual * heat[0])

    def _chosen(self, penalties: Sequence[float]) -> tuple[FloatArray, FloatArray]:
        """Penalty (F,) and temperature (F, 1, 1) of each problem.

        The largest penalty whose leave-one-out loss is within one standard error of the
        least (Breiman et al. 1984): with few rows the least itself chases noise.
        """
        rows, heats = zip(*(self.assess(p) for p in sorted(penalties)), strict=True)
        by_row = np.stack(rows)  # (penalties, F, n)
        loss = (self.judged * by_row).sum(axis=2)
        problems = np.arange(loss.shape[1])
        least = np.argmin(loss, axis=0)
        spread = ((by_row[least, problems] - loss[least, problems, None]) ** 2 * self.judged).sum(1)
        within = loss <= loss[least, problems] + np.sqrt(spread / by_row.shape[2])
        best = len(penalties) - 1 - np.argmax(within[::-1], axis=0)
        self.left_out = loss[best, problems]
        return np.sort(np.asarray(penalties))[best], np.stack(heats)[best, problems][:, None, None]

    def shrunken(self, penalty: float | FloatArray) -> FloatArray:
        """(F, r, C) solutions for one penalty or one each (F,), on the eigenvectors."""
        lam = penalty * self.scale
        return np.asarray(self.projected / (self.values + lam[:, None])[..., None])

    def lifted(self, solution: FloatArray) -> FloatArray:
        """(F, d, C) weights of solutions (F, r, C) on the eigenvectors."""
        return np.asarray(_t(self.z) @ (self.left @ solution) / _t(self.unit))

    @property
    def judged(self) -> FloatArray:
        """(F, n / together) share of each row that is judged."""
        return np.asarray(self.share.reshape(len(self.share), -1, self.together).sum(axis=2))

    def assess(self, penalty: float) -> tuple[FloatArray, FloatArray]:
        """Leave-one-out log loss of each row that is judged (F, n) at the best temperature (F,);
        of values the squared error."""
        first = slice(None, None, self.together)
        residual = self._left_out(penalty) / self.root[:, first]
        if self.valued:
            return np.asarray((residual**2).sum(axis=2)), np.ones(len(residual))
        targets = self.targets[:, first]
        scores = targets - residual - (0.5 if self.multi_label else 0.0)
        # One imaginary row that is undecided: rows told apart perfectly would ask for certainty.
        doubt = 1.0 / (1 + scores.shape[1])
        even = 0.5 if self.multi_label else 1.0 / scores.shape[2]
        doubted = (1.0 - doubt) * targets + doubt * even
        loss = np.stack([self.log_loss(scores * heat, doubted) for heat in TEMPERATURES])
        best = TEMPERATURES[np.argmin((self.judged * loss).sum(axis=2), axis=0)]
        return self.log_loss(scores * best[:, None, None], targets), best

    def _left_out(self, penalty: float) -> FloatArray:
        """(F, n / together, C) residuals of a fit without the row, times the root of its weight."""
        shrink = self.values / (self.values + penalty * self.scale[:, None])
        residual = self.residual_y - self.left @ (shrink[..., None] * self.projected)
        count = self.together
        if count == 1:
            leverage = np.einsum("fnr,fr->fn", self.left**2, shrink) + self.share
            return np.asarray(residual / np.maximum(1.0 - leverage, 1e-9)[..., None])
        shape = (len(residual), residual.shape[1] // count, count)
        left, root = self.left.reshape(*shape, -1), np.sqrt(self.share).reshape(shape)
        hat = (left * shrink[:, None, None]) @ _t(left) + root[..., None] * root[..., None, :]
        rest = (1.0 + 1e-9) * np.eye(count) - hat
        return np.asarray(np.linalg.solve(rest, residual.reshape(*shape, -1))[:, :, 0])

    def log_loss(self, logits: FloatArray, targets: FloatArray) -> FloatArray:
        """(F, n) from logits and targets (F, n, C)."""
        if self.multi_label:
            return np.asarray((np.logaddexp(0.0, logits) - targets * logits).sum(axis=-1))
        top = logits.max(axis=-1, keepdims=True)
        norm = np.log(np.exp(logits - top).sum(axis=-1)) + top[..., 0]
        return np.asarray(norm - (targets * logits).sum(axis=-1))


def _t(array: FloatArray) -> FloatArray:
    return np.swapaxes(array, -1, -2)


def ridge(problem: Problem, x: FloatArray, y: FloatArray, weights: FloatArray) -> RidgeBatch:
    head = problem.head
    own = problem.lens is None
    return RidgeBatch(
        x,
        y,
        weights,
        head.multi_label,
        valued=head.valued,
        standardise=own,
        together=problem.together,
    )


def arrays(problem: Problem) -> tuple[FloatArray, FloatArray]:
    targets = problem.examples.targets
    assert targets is not None
    if problem.head.valued:
        return problem.features, targets[:, None]
    return problem.features, one_hot(targets, problem.head.outputs)


def one_hot(targets: Any, outputs: int) -> FloatArray:
    """(n, C) zeros and ones from (n,) indices; (n, C) passes through."""
    if targets.ndim == 2:
        return np.asarray(targets, dtype=np.float64)
    return np.asarray(np.eye(outputs)[targets])


def row_weights(problem: Problem) -> FloatArray:
    given = problem.examples.weights
    return np.ones(len(problem.examples)) if given is None else np.asarray(given, dtype=float)


METHOD = LinearProbe()
