"""Rows drawn again and again: what every interval and every correction here rests on.

Shapes: R repeats of cross-validation, n rows, C labels, B resamples, S systems, M metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray

Score = Callable[[FloatArray, npt.NDArray[Any], FloatArray | None], Mapping[str, FloatArray]]
"""(answers (n, C), targets, weights (B, n) or None) -> every metric, (B,) each."""

RESAMPLES = 1000
_BLOCK = 1 << 17  # numbers drawn at a time: as many as stay in a processor's cache
_SMALLEST_BLOCK = 32


@dataclass(frozen=True, eq=False)
class Sampling:
    """How n rows are drawn: alone or by whole ``groups`` (n,), counting by ``weights`` (n,)."""

    n: int
    seed: int
    groups: IntArray | None = None
    weights: FloatArray | None = None

    def drawn(self) -> Iterator[FloatArray]:
        """How often each row is drawn, with replacement: blocks (b, n), B in all, always the
        same for one seed. Blocks, so that memory stays flat in the number of rows."""
        rng = np.random.default_rng(self.seed)
        names, unit_of_row = np.arange(self.n), None
        if self.groups is not None:
            names, unit_of_row = np.unique(self.groups, return_inverse=True)
        units = len(names)
        block = min(RESAMPLES, max(_SMALLEST_BLOCK, _BLOCK // units))
        for start in range(0, RESAMPLES, block):
            size = min(block, RESAMPLES - start)
            chosen = rng.integers(0, units, size=(size, units)) + units * np.arange(size)[:, None]
            times = np.bincount(chosen.ravel(), minlength=size * units).reshape(size, units)
            yield (times if unit_of_row is None else times[:, unit_of_row]).astype(np.float64)

    def weightings(self) -> Iterator[FloatArray]:
        """Blocks (b, n), 1 + B in all: the rows as they are, then every resample."""
        yield self.weighted(np.ones((1, self.n)))
        yield from (self.weighted(times) for times in self.drawn())

    def left_out(self) -> Iterator[FloatArray]:
        """Blocks (b, n), B in all: the rows that each resample did not draw."""
        yield from (self.weighted((times == 0).astype(np.float64)) for times in self.drawn())

    def weighted(self, times: FloatArray) -> FloatArray:
        """``times`` (B, n) each row counts, multiplied by the row's own weight."""
        return times if self.weights is None else times * np.asarray(self.weights)

    @property
    def units(self) -> float:
        """Effective number (Kish 1965) of independent units: of rows, or of groups."""
        mass: FloatArray = self.weighted(np.ones(self.n))
        if self.groups is not None:
            unit_of_row = np.unique(self.groups, return_inverse=True)[1]
            mass = np.asarray(np.bincount(unit_of_row, weights=mass))
        return float(mass.sum() ** 2 / (mass**2).sum())

    @property
    def kind(self) -> str:
        return "rows" if self.groups is None else "whole groups of rows"

    def take(self, rows: IntArray) -> Sampling:
        """The same for the rows at these indices alone."""
        return Sampling(
            len(rows),
            self.seed,
            None if self.groups is None else self.groups[rows],
            None if self.weights is None else self.weights[rows],
        )


def repeats_of(answers: FloatArray) -> FloatArray:
    """(R, n, C); one set of predictions (n, C) is one repeat."""
    return answers[None] if answers.ndim == 2 else answers


def averaged(
    score: Score,
    systems: Sequence[FloatArray],
    targets: npt.NDArray[Any],
    metrics: Sequence[str],
    weightings: Iterable[FloatArray],
) -> FloatArray:
    """(B, S, M) metrics of S systems under each weighting, averaged over a system's repeats.

    Each system is (n, C) or (R, n, C); ``weightings`` are blocks (b, n).
    """
    blocks = []
    for weights in weightings:
        block = np.zeros((len(weights), len(systems), len(metrics)))
        for index, system in enumerate(systems):
            repeats = repeats_of(system)
            for one in repeats:
                scores = score(one, targets, weights)
                for column, name in enumerate(metrics):
                    block[:, index, column] += scores[name]
            block[:, index] /= len(repeats)
        blocks.append(block)
    return np.concatenate(blocks)


def quantiles(values: FloatArray) -> FloatArray:
    """(2, M) the 2.5 % and 97.5 % points of (B, M)."""
    return np.asarray(np.quantile(values, (0.025, 0.975), axis=0))
