"""Whether a second head answers labelled rows better than a first, by rows held out of both.

Few rows decide, so the difference is smoothed by one imaginary row: half a row for the one head
and half a row for the other (after Agresti and Min 2005). Its 95 % interval is widened for parts
that learn from shared rows (Nadeau and Bengio 2003).

Shapes: F parts, n labelled rows, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray

PARTS, REPEATS = 5, 4
ROWS = 128  # repeats times rows: with more rows fewer repeats tell as much
AGREEMENT = 0.6  # of two ways to label unlabelled rows, beyond chance, that is asked for
BIAS = 0.5  # standard errors by which the second head may be worse and is taken all the same


@dataclass(frozen=True, eq=False)
class HeldOut:
    """rows (F, n): which of them each part holds out; parts: how many there are a repeat."""

    rows: npt.NDArray[np.bool_]
    parts: int


@dataclass(frozen=True)
class Judgement:
    """Shares of ``rows`` held-out rows answered rightly by the plain head and by the other, and
    the interval of the difference; ``agreement`` of two ways to label the unlabelled rows;
    ``better``: whether the other head is taken."""

    rows: int
    plain: float
    other: float
    low: float
    high: float
    agreement: float
    better: bool

    @property
    def words(self) -> str:
        gain = self.other - self.plain
        known = (
            f"of {self.rows} labelled rows held out {self.other:.0%} are answered rightly with "
            f"them and {self.plain:.0%} without ({100 * gain:+.0f} points, "
            f"{100 * self.low:+.0f} to {100 * self.high:+.0f})"
        )
        if self.agreement < AGREEMENT:
            return (
                f"two ways to label them agree too little ({self.agreement:.2f} where 1 is always "
                f"and {AGREEMENT:g} is asked for), so their groups are not your labels; {known}."
            )
        if self.better and gain <= 0:
            return f"{known}; so few rows cannot tell that they harm, and most often they help."
        if self.low <= 0.0 <= self.high:
            return f"{known}; so few rows cannot tell whether that is luck."
        return f"{known}."

    def as_dict(self) -> dict[str, Any]:
        return {
            "judged_on": self.rows,
            "accuracy": {"plain": self.plain, "unlabelled": self.other},
            "agreement": self.agreement,
            "gain": {"value": self.other - self.plain, "low": self.low, "high": self.high},
        }


def held_out(targets: IntArray, groups: IntArray | None, seed: int) -> HeldOut:
    """Stratified parts, several times over. Rows of one group stay together, and what is the only
    row or group of its label is never held out; so there may be no part at all."""
    n = len(targets)
    _, first, unit = np.unique(
        np.arange(n) if groups is None else groups, return_index=True, return_inverse=True
    )
    rank = np.argsort(np.argsort(first))  # units in the order in which they come
    unit, label = rank[unit], targets[np.sort(first)]
    counts = np.bincount(label)
    common = counts[counts > 1]
    if not len(common):
        return HeldOut(np.zeros((0, n), dtype=bool), 0)
    parts = int(np.clip(common.min(), 2, PARTS))
    rng = np.random.default_rng([seed, n])
    found = []
    for _ in range(max(1, min(REPEATS, ROWS // n))):
        part = np.full(len(label), -1)
        for one in np.flatnonzero(counts > 1):
            mine = rng.permutation(np.flatnonzero(label == one))
            part[mine] = (np.arange(len(mine)) + rng.integers(parts)) % parts
        found += [(part == number)[unit] for number in range(parts)]
    rows = np.stack(found)
    return HeldOut(rows[rows.any(axis=1)], parts)


def judged(
    plain: FloatArray,
    other: FloatArray,
    targets: FloatArray,
    weights: FloatArray,
    asked: HeldOut,
    agreement: float = 1.0,
) -> Judgement:
    """From scores (F, n, C) of both heads and targets (n, C)."""
    from scipy.stats import t

    often = asked.rows.sum(axis=0)
    rows = np.flatnonzero(often)
    right = [
        ((scores.argmax(axis=2) == targets.argmax(axis=1)) & asked.rows).sum(axis=0)[rows]
        / often[rows]
        for scores in (plain, other)
    ]
    share = weights[rows] / weights[rows].sum()
    before, after = (float(share @ each) for each in right)
    gap, n = right[1] - right[0], 1 / float(share @ share)
    mean = after - before
    error = float(np.sqrt(max(share @ gap**2 + 1 / n - mean**2, 0.0) / n))
    reach = (
        error * np.sqrt(1 + asked.parts / (asked.parts - 1)) * float(t.ppf(0.975, max(n - 1, 1)))
    )
    better = agreement >= AGREEMENT and mean + BIAS * error >= 0
    return Judgement(len(rows), before, after, mean - reach, mean + reach, agreement, bool(better))
