"""The minimum of a penalised sum of squares by gradient descent, in plain NumPy.

What is minimised over w is ½ Σ share (x·w − y)² + ``l2``/2 · Σw² + ``l1`` · Σ|w|. An L1 penalty is
a proximal step after each gradient step (soft thresholding, Daubechies et al. 2004).

A full batch of more rows than columns is first turned by a QR decomposition into as many rows as
columns, which has the same loss and the same gradient at every point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from supertune.contracts import FloatArray
from supertune.errors import SupertuneError

FULL_EPOCHS, BATCH_EPOCHS = 20_000, 200
BETA, BETA2, EPSILON = 0.9, 0.999, 1e-12
PATIENCE, SLOWER = 10, 0.8  # adam: steps without a new least loss, and the rate after them
SPENT = 1e-9  # of the first rate: it has fallen so far that steps lead nowhere
TOLD = 50  # steps between two reports of progress


@dataclass(frozen=True)
class Settings:
    """How to descend; None is a safe choice of its own. ``tolerance`` is a share of the first
    gradient."""

    optimizer: Literal["lbfgs", "sgd", "momentum", "adam"] = "lbfgs"
    learning_rate: float | None = None
    batch_size: int | None = None
    epochs: int | None = None
    tolerance: float = 1e-10
    l1: float = 0.0
    l2: float = 0.0


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
    def of(cls, x: FloatArray, y: FloatArray, share: FloatArray, options: Settings) -> _Squares:
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
    options: Settings,
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


def _bar(options: Settings) -> float:
    """L-BFGS stops where rounding hides a lower loss; steps over few rows end near the minimum."""
    if options.batch_size is not None:
        return 0.05
    return max(options.tolerance, 1e-6 if options.l1 else 1e-8)


def _full(
    whole: _Squares, options: Settings, first: float, progress: Any
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
    options: Settings,
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


def _finite(loss: float, options: Settings, rate: float) -> float:
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


def _stepper(options: Settings, curvature: float, size: int) -> _Stepper:
    if options.optimizer == "adam":
        rate = options.learning_rate or 0.05  # in units of the weights, not of the curvature
        return _Adam(rate, options.l1, np.zeros(size), np.zeros(size))
    kind = _Momentum if options.optimizer == "momentum" else _Stepper
    return kind(options.learning_rate or 1 / curvature, options.l1, np.zeros(size))


def _shrunk(w: FloatArray, by: float | FloatArray) -> FloatArray:
    """Soft thresholding."""
    return np.asarray(np.sign(w) * np.maximum(np.abs(w) - by, 0.0))


def _lbfgs(whole: _Squares, options: Settings, first: float) -> tuple[FloatArray, list[float]]:
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
