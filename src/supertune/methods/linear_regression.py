"""y = w₁x₁ + … + wₙxₙ + b by gradient descent: the simplest method of all, in plain NumPy.

Columns are centred, for which the best offset b is the target's mean at every step; then scaled
(``standardise``), so that one learning rate suits all of them. What is minimised is half the mean
squared error in units of the target's variance, plus ``l2``/2 · Σw² and ``l1`` · Σ|w|. An L1
penalty is a proximal step after each gradient step (soft thresholding, Daubechies et al. 2004).

A full batch of more rows than columns is first turned by a QR decomposition into as many rows as
columns, which has the same loss and the same gradient at every point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from supertune.contracts import (
    Coefficient,
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
from supertune.errors import SupertuneError

FULL_EPOCHS, BATCH_EPOCHS = 20_000, 200
SMALL = 1e-12  # of the largest: what rounding leaves of nothing
DEPENDENT = 1e-8  # singular values below this share of the largest: columns depend on each other
BETA, BETA2, EPSILON = 0.9, 0.999, 1e-12
PATIENCE, SLOWER = 10, 0.8  # adam: steps without a new least loss, and the rate after them
SPENT = 1e-9  # of the first rate: it has fallen so far that steps lead nowhere
TOLD = 50  # steps between two reports of progress


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
    simplicity = 15
    options: type[Options] = LinearRegressionOptions

    def fit(self, problem: Problem, options: LinearRegressionOptions) -> Line:
        """
        Raises:
            SupertuneError: ``loss_not_finite`` when a learning rate is too large.
        """
        given = _Given.of(problem, options.standardise)
        found = descend(given.x, given.y, given.share, options, problem.seed, problem.progress)
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


# --- descent ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Descent:
    """Where a descent ended: weight (d,), the loss at each step, whether it settled, and what
    share of the first gradient was left."""

    weight: FloatArray
    losses: list[float]
    settled: bool
    left: float


@dataclass(frozen=True, eq=False)
class _Squares:
    """½|Aw − q|² + rest + penalties, for A (m, d) and q (m,)."""

    a: FloatArray
    q: FloatArray
    rest: float
    l1: float
    l2: float

    @classmethod
    def of(
        cls, x: FloatArray, y: FloatArray, share: FloatArray, options: LinearRegressionOptions
    ) -> _Squares:
        root = np.sqrt(share)
        a, q = x * root[:, None], y * root
        rest = 0.0
        if len(a) > a.shape[1]:
            q_full, triangle = np.linalg.qr(a)
            turned = q_full.T @ q
            rest = max(0.0, 0.5 * float(q @ q - turned @ turned))
            a, q = triangle, turned
        return cls(a, q, rest, options.l1, options.l2)

    def smooth(self, w: FloatArray) -> float:
        off = self.a @ w - self.q
        return 0.5 * float(off @ off) + self.rest + 0.5 * self.l2 * float(w @ w)

    def loss(self, w: FloatArray) -> float:
        return self.smooth(w) + self.l1 * float(np.abs(w).sum())

    def gradient(self, w: FloatArray) -> FloatArray:
        return np.asarray(self.a.T @ (self.a @ w - self.q) + self.l2 * w)

    def slope(self, w: FloatArray) -> float:
        """Largest entry of the least subgradient: 0 at the minimum, and nowhere else."""
        g = self.gradient(w)
        if not self.l1:
            return float(np.abs(g).max(initial=0.0))
        at_zero = np.maximum(np.abs(g) - self.l1, 0.0)
        return float(np.where(w == 0, at_zero, np.abs(g + self.l1 * np.sign(w))).max(initial=0.0))

    def curvature(self) -> float:
        """The largest eigenvalue: a step of its inverse never overshoots."""
        return (float(np.linalg.norm(self.a, 2)) ** 2 if self.a.size else 0.0) + self.l2


def descend(
    x: FloatArray,
    y: FloatArray,
    share: FloatArray,
    options: LinearRegressionOptions,
    seed: int,
    progress: Any = None,
) -> Descent:
    """Minimise over w (d,) from zero, for x (n, d), y (n,) and row shares (n,) that sum to 1.

    Raises:
        SupertuneError: ``loss_not_finite``.
    """
    whole = _Squares.of(x, y, share, options)
    first = whole.slope(np.zeros(x.shape[1]))
    if first == 0:  # nothing to gain
        return Descent(np.zeros(x.shape[1]), [whole.loss(np.zeros(x.shape[1]))], True, 0.0)
    if options.optimizer == "lbfgs":
        w, losses = _lbfgs(whole, options, first)
    elif options.batch_size is None or options.batch_size >= len(x):
        w, losses = _full(whole, options, first, progress)
    else:
        w, losses = _batches(x, y, share, whole, options, seed, progress)
    left = whole.slope(w) / first
    return Descent(w, losses, left <= _bar(options), left)


def _bar(options: LinearRegressionOptions) -> float:
    """L-BFGS stops where rounding hides a lower loss; steps over few rows end near the minimum."""
    if options.batch_size is not None:
        return 0.05
    return max(options.tolerance, 1e-6 if options.l1 else 1e-8)


def _full(
    whole: _Squares, options: LinearRegressionOptions, first: float, progress: Any
) -> tuple[FloatArray, list[float]]:
    w: FloatArray = np.zeros(whole.a.shape[1])
    epochs = options.epochs or FULL_EPOCHS
    stepper = _stepper(options, whole.curvature(), len(w))
    start, losses = stepper.rate, [whole.loss(w)]
    for epoch in range(epochs):
        w = stepper(w, whole.gradient(w), losses)
        losses.append(_finite(whole.loss(w), options, stepper.rate))
        if progress is not None and epoch % TOLD == 0:
            progress(epoch + 1, epochs)
        if whole.slope(w) <= options.tolerance * first or stepper.rate < SPENT * start:
            break
    return w, losses


def _batches(
    x: FloatArray,
    y: FloatArray,
    share: FloatArray,
    whole: _Squares,
    options: LinearRegressionOptions,
    seed: int,
    progress: Any,
) -> tuple[FloatArray, list[float]]:
    """Epochs in an order of their own, the rate falling to zero over the last half of them."""
    assert options.batch_size is not None
    n, epochs = len(x), options.epochs or BATCH_EPOCHS
    rng = np.random.default_rng(seed)
    # No batch curves more than its steepest row, whatever rows come together.
    steepest = float((x**2).sum(axis=1).max()) + options.l2
    stepper = _stepper(options, steepest, x.shape[1])
    start, mass = stepper.rate, share * n
    w: FloatArray = np.zeros(x.shape[1])
    losses = [whole.loss(w)]
    for epoch in range(epochs):
        stepper.rate = start * min(1.0, 2.0 * (1 - epoch / epochs))
        order = rng.permutation(n)
        for at in range(0, n, options.batch_size):
            rows = order[at : at + options.batch_size]
            off = (x[rows] @ w - y[rows]) * mass[rows]
            w = stepper(w, x[rows].T @ off / len(rows) + options.l2 * w, ())
        losses.append(_finite(whole.loss(w), options, stepper.rate))
        if progress is not None:
            progress(epoch + 1, epochs)
    return w, losses


def _finite(loss: float, options: LinearRegressionOptions, rate: float) -> float:
    # Where steps overshoot, the loss multiplies at each: it need not reach infinity to be told.
    if loss < 1e30:
        return loss
    raise SupertuneError(
        "loss_not_finite",
        "Gradient descent diverged: each step overshoots by more than the one before.",
        received=f"learning_rate {rate:g}",
        next="Leave learning_rate out, which chooses a safe one, or lower it: "
        f"--set learning_rate={rate / 10:g}.",
    )


@dataclass(eq=False)
class _Stepper:
    """One rule for the next point, with what it remembers. ``rate`` is the learning rate."""

    rate: float
    l1: float
    memory: FloatArray

    def __call__(self, w: FloatArray, gradient: FloatArray, losses: Sequence[float]) -> FloatArray:
        return _shrunk(w - self.rate * gradient, self.rate * self.l1)


@dataclass(eq=False)
class _Momentum(_Stepper):
    """Heavy ball (Polyak 1964)."""

    def __call__(self, w: FloatArray, gradient: FloatArray, losses: Sequence[float]) -> FloatArray:
        ahead = w + BETA * self.memory - self.rate * gradient
        after = _shrunk(ahead, self.rate * self.l1)
        self.memory = after - w
        return after


@dataclass(eq=False)
class _Adam(_Stepper):
    """Adam (Kingma and Ba 2015). Its steps do not shrink with the gradient, so the rate falls
    where the loss finds no new least value."""

    squares: FloatArray = field(default_factory=lambda: np.zeros(0))
    count: int = 0
    least: float = float("inf")
    waited: int = 0

    def __call__(self, w: FloatArray, gradient: FloatArray, losses: Sequence[float]) -> FloatArray:
        if losses:
            self.waited = 0 if losses[-1] < self.least else self.waited + 1
            self.least = min(self.least, losses[-1])
            if self.waited >= PATIENCE:
                self.rate, self.waited = self.rate * SLOWER, 0
        self.count += 1
        self.memory = BETA * self.memory + (1 - BETA) * gradient
        self.squares = BETA2 * self.squares + (1 - BETA2) * gradient**2
        spread = np.sqrt(self.squares / (1 - BETA2**self.count)) + EPSILON
        each = self.rate / spread
        return _shrunk(w - each * self.memory / (1 - BETA**self.count), each * self.l1)


def _stepper(options: LinearRegressionOptions, curvature: float, size: int) -> _Stepper:
    if options.optimizer == "adam":
        rate = options.learning_rate or 0.05  # in units of the weights, not of the curvature
        return _Adam(rate, options.l1, np.zeros(size), np.zeros(size))
    kind = _Momentum if options.optimizer == "momentum" else _Stepper
    return kind(options.learning_rate or 1 / curvature, options.l1, np.zeros(size))


def _shrunk(w: FloatArray, by: float | FloatArray) -> FloatArray:
    """Soft thresholding."""
    return np.asarray(np.sign(w) * np.maximum(np.abs(w) - by, 0.0))


def _lbfgs(
    whole: _Squares, options: LinearRegressionOptions, first: float
) -> tuple[FloatArray, list[float]]:
    """L-BFGS-B; for an L1 penalty over the positive and the negative part of each weight."""
    from scipy.optimize import minimize

    d = whole.a.shape[1]
    split = options.l1 > 0

    def joined(parts: FloatArray) -> FloatArray:
        return parts[:d] - parts[d:] if split else parts

    def value(parts: FloatArray) -> tuple[float, FloatArray]:
        w = joined(parts)
        gradient = whole.gradient(w)
        if not split:
            return whole.smooth(w), gradient
        both = np.concatenate([gradient, -gradient]) + options.l1
        return whole.smooth(w) + options.l1 * float(parts.sum()), both

    losses = [whole.loss(np.zeros(d))]
    found = minimize(
        value,
        np.zeros(2 * d if split else d),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * (2 * d) if split else None,
        callback=lambda parts: losses.append(whole.loss(joined(parts))),
        options={
            "maxiter": options.epochs or FULL_EPOCHS,
            "maxfun": 2 * (options.epochs or FULL_EPOCHS),
            "maxcor": 20,
            "ftol": 0.0,
            "gtol": options.tolerance * first,
        },
    )
    return joined(np.asarray(found.x)), losses


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
    return Notes((curve,), coefficients, about, findings)


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
