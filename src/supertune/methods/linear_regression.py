"""y = w₁x₁ + … + wₙxₙ + b by gradient descent: the simplest method of all, in plain NumPy.

Columns are centred, for which the best offset b is the target's mean at every step; then scaled
(``standardise``), so that one learning rate suits all of them. What is minimised is half the mean
squared error in units of the target's variance, plus ``l2``/2 · Σw² and ``l1`` · Σ|w|
(`_least_squares`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from supertune.contracts import (
    Coefficient,
    Contribution,
    Curve,
    Finding,
    FloatArray,
    HeadSpec,
    Input,
    Lens,
    Notes,
    Options,
    Problem,
    State,
    features,
)
from supertune.methods import _attributing
from supertune.methods._least_squares import Descent, Settings, descend

SMALL = 1e-12  # of the largest: what rounding leaves of nothing
DEPENDENT = 1e-8  # singular values below this share of the largest: columns depend on each other


class LinearRegressionOptions(Options):
    """Keys of ``linear_regression``."""

    optimizer: Literal["lbfgs", "sgd", "momentum", "adam"] = "lbfgs"
    learning_rate: float | None = Field(
        None, gt=0, description="none: safe for the largest eigenvalue of the columns' covariance"
    )
    batch_size: int | None = Field(None, ge=1, description="rows a step; none: all of them")
    epochs: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="passes over the rows at most; none: until it settles",
    )
    tolerance: float = Field(
        1e-10, gt=0, lt=1, description="ends when the gradient is this share of the first one"
    )
    standardise: bool = Field(True, description="scale each column to variance 1 first")
    l1: float = Field(0.0, ge=0, description="penalty on absolute coefficients (lasso)")
    l2: float = Field(0.0, ge=0, description="penalty on squared coefficients (ridge)")

    @model_validator(mode="after")
    def _fits(self) -> LinearRegressionOptions:
        if self.optimizer == "lbfgs" and (self.batch_size or self.learning_rate):
            raise ValueError(
                "lbfgs takes all rows at once and finds its own step: choose sgd, momentum or "
                "adam for a batch_size or a learning_rate"
            )
        return self


@dataclass(frozen=True, eq=False)
class Line:
    """value = features @ weight + bias; weight (d,), bias (1,), float64, in the rows' units."""

    weight: FloatArray
    bias: FloatArray
    shown: Notes = field(default_factory=Notes)

    @property
    def tuned_parameters(self) -> int:
        return int(self.weight.size + self.bias.size)

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        x = features(inputs, lens, width=len(self.weight)).astype(np.float64, copy=False)
        # Not a matrix product: a row's sum must not depend on the rows that come with it.
        return np.asarray((x * self.weight).sum(axis=1, keepdims=True) + self.bias)

    def ways(self, lens: Lens | None) -> tuple[str, ...]:
        """See `supertune.contracts.Explains`."""
        return _attributing.ways(lens)

    def contributions(
        self, inputs: Sequence[Input], contrasts: FloatArray, lens: Lens | None, way: str
    ) -> list[Contribution]:
        assert lens is not None
        weights, offsets = contrasts * self.weight, contrasts @ self.bias
        return _attributing.shares(inputs, weights, offsets, lens, way)

    def state(self) -> State:
        return State({"weight": self.weight, "bias": self.bias})

    def notes(self) -> Notes:
        """The loss curve, and the coefficients with their intervals."""
        return self.shown


class LinearRegression:
    """See `supertune.contracts.Solver`."""

    name = "linear_regression"
    summary = "A weighted sum of the columns, found by gradient descent"
    reference = "Legendre 1805; Cauchy 1847; Kingma & Ba 2015 (Adam); Liu & Nocedal 1989 (L-BFGS)"
    needs = frozenset({"features"})
    objectives = frozenset({"regress"})
    simplicity = 7
    options: type[Options] = LinearRegressionOptions

    def fit(self, problem: Problem, options: LinearRegressionOptions) -> Line:
        """
        Raises:
            SupertuneError: ``loss_not_finite`` when a learning rate is too large.
        """
        given = _Given.of(problem, options.standardise)
        settings = Settings(**options.model_dump(exclude={"standardise"}))
        found = descend(given.x, given.y, given.share, settings, problem.seed, problem.progress)
        weight = found.weight * given.unit_y / given.unit_x
        bias = np.array([given.mean_y - given.mean_x @ weight])
        return Line(weight, bias, _notes(problem, options, given, found, weight, bias))

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Line:
        return Line(state.arrays["weight"], state.arrays["bias"])


METHOD = LinearRegression()


@dataclass(frozen=True, eq=False)
class _Given:
    """Columns (n, d) and target (n,) centred and scaled, row shares (n,) that sum to 1."""

    x: FloatArray
    y: FloatArray
    share: FloatArray
    mean_x: FloatArray
    unit_x: FloatArray
    mean_y: float
    unit_y: float

    @classmethod
    def of(cls, problem: Problem, standardise: bool) -> _Given:
        targets, weights = problem.examples.targets, problem.examples.weights
        assert targets is not None
        x = problem.features.astype(np.float64)
        share = np.full(len(x), 1 / len(x)) if weights is None else weights / weights.sum()
        mean_x, mean_y = share @ x, float(share @ targets)
        x_off, y_off = x - mean_x, targets - mean_y
        spread = np.sqrt(share @ x_off**2)
        flat = spread <= SMALL * np.abs(x).max(axis=0, initial=0.0)
        x_off = np.where(flat, 0.0, x_off)
        unit_x = np.where(flat, 1.0, spread) if standardise else np.ones(x.shape[1])
        unit_y = float(np.sqrt(share @ y_off**2)) or 1.0
        return cls(x_off / unit_x, y_off / unit_y, share, mean_x, unit_x, mean_y, unit_y)


# --- what is shown ----------------------------------------------------------------------------


def _notes(
    problem: Problem,
    options: LinearRegressionOptions,
    given: _Given,
    found: Descent,
    weight: FloatArray,
    bias: FloatArray,
) -> Notes:
    along = "iteration" if options.optimizer == "lbfgs" else "epoch"
    points = tuple((float(step), loss) for step, loss in enumerate(found.losses))
    curve = Curve("loss, in variances of the target", along, points)
    findings = () if found.settled else (_unsettled(options, found, along),)
    names = problem.examples.columns
    if not names:  # features of a backbone have no names and no units
        return Notes((curve,), findings=findings)
    half, about = _intervals(given, options, found)
    numbers = [*zip(names, weight.tolist(), strict=True), ("offset", float(bias[0]))]
    coefficients = tuple(
        Coefficient(name, value)
        if half is None
        else Coefficient(name, value, value - float(half[i]), value + float(half[i]))
        for i, (name, value) in enumerate(numbers)
    )
    return Notes((curve,), coefficients, about, findings=findings)


def _unsettled(options: LinearRegressionOptions, found: Descent, along: str) -> Finding:
    steps = len(found.losses) - 1
    message = (
        f"Gradient descent ended after {steps:,} {along}s before it settled: {found.left:.1g} of "
        "the first gradient was left. "
    )
    message += (
        "Raise epochs, or choose optimizer=lbfgs."
        if options.standardise
        else "Columns of unlike scales are slow: leave standardise on."
    )
    return Finding("not_settled", message)


def _intervals(
    given: _Given, options: LinearRegressionOptions, found: Descent
) -> tuple[FloatArray | None, str]:
    """(d + 1,) half widths of 95 % t intervals in the rows' units, the offset last; or why there
    are none."""
    n, d = given.x.shape
    freedom = n - d - 1
    if options.l1 or options.l2:
        return None, "No intervals: a penalty draws coefficients towards zero."
    if freedom < 1:
        return None, f"No intervals: {n} rows are too few for {d} columns and an offset."
    if np.ptp(given.share) > 1e-12 / n:
        return None, "No intervals: rows of unlike weight have no t interval."
    if not found.settled:
        return None, "No intervals: the descent had not settled."
    values = np.linalg.svd(given.x, compute_uv=False)
    if values[-1] <= DEPENDENT * values[0]:
        return None, "No intervals: some columns are sums of others, so no coefficient is certain."
    from scipy.special import stdtrit

    off = given.y - given.x @ found.weight
    variance = float(off @ off) / freedom * given.unit_y**2
    inverse = np.linalg.inv(np.linalg.qr(given.x, mode="r"))
    spread = inverse @ inverse.T / np.outer(given.unit_x, given.unit_x)
    offset = 1 / n + given.mean_x @ spread @ given.mean_x
    errors = np.sqrt(variance * np.append(np.diag(spread), offset))
    about = (
        f"95 % t intervals of least squares with {freedom:,} degrees of freedom (Student 1908); "
        "they hold where errors are independent and alike in size."
    )
    return errors * float(stdtrit(freedom, 0.975)), about
