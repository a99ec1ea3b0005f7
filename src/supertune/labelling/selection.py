"""Which rows to label next: those that take most doubt away from the pool, one after another.

Each row is a vector u in feature space. Under a ridge head with penalty λ, labelling rows A
leaves the covariance S = λ (AᵀA + λ I)⁻¹, and labelling row i besides takes
``(uᵢᵀ S uⱼ)² / (uᵢᵀ S uᵢ + λ)`` from the variance at row j. The row is chosen whose gain, summed
over the pool, is largest, S is updated, and the next one chosen: transductive experimental design
(Yu, Bi & Tresp 2006), greedy. Rows for which many others stand come first, a second row like
one that is labelled gains little, so a batch is diverse by itself. No label is needed for it.

Two weights decide how much row j counts in that sum. Once there is a model, the root of how
undecided the model is about it: the same rule turns from typical rows to those where classes
meet, and a far-off row that is merely odd still gains little, since nothing lies near it. And
while there are few labels, one over its density, and u keeps its length: regions count alike, or
half of the pool being of one kind would ask for one label of that kind after another. That fades
as labels come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray

# Chosen in `benchmarks.study_labels` on draws that it does not report.
PENALTY = 1.0
FADING = 32  # labels after which density and length count half as much
TEMPER = 0.5  # power of the doubt
SAMPLED = 2000  # rows against which a density is taken


@dataclass(frozen=True, eq=False)
class Space:
    """A pool as it is seen from its mean.

    Attributes:
        centre: (1, d) the mean of the features.
        unit: (n, d) features from there, of length 1.
        length: (n,) their lengths, in units of the root of the mean square.
        scale: that root.
        density: (n,) how much of the pool lies in a row's direction.
    """

    centre: FloatArray
    unit: FloatArray
    length: FloatArray
    scale: float
    density: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> Space:
        """The space of a pool (n, d)."""
        whole = np.asarray(features, dtype=np.float64)
        centre = whole.mean(axis=0, keepdims=True)
        away = whole - centre
        length = np.linalg.norm(away, axis=1)
        unit = away / np.maximum(length, 1e-12)[:, None]
        scale = max(float(np.sqrt((length**2).mean())), 1e-12)
        some = unit[:: -(-len(unit) // SAMPLED)]
        like = np.maximum(unit.astype(np.float32) @ some.T.astype(np.float32), 0)
        density = (like.astype(np.float64) ** 2).mean(axis=1)
        return cls(centre, unit, length / scale, scale, np.maximum(density, 1e-6))

    def units(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Directions (m, d) and lengths (m,) of other rows, e.g. those labelled before."""
        away = np.asarray(features, dtype=np.float64) - self.centre
        length = np.linalg.norm(away, axis=1)
        return away / np.maximum(length, 1e-12)[:, None], length / self.scale


def choose(
    space: Space,
    labelled: FloatArray,
    count: int,
    *,
    doubt: FloatArray | None = None,
    free: npt.NDArray[np.bool_] | None = None,
) -> IntArray:
    """Indices of at most ``count`` rows of the pool, the most useful first.

    Args:
        space: the rows that matter.
        labelled: (m, d) features of the rows that are labelled, which may be none.
        doubt: (n,) from 0, decided, to 1; all alike without it.
        free: (n,) which may be chosen; all without it. The others still matter.

    Time is O(n d²) once and O(n d) a row chosen, memory O(n d).
    """
    rows = len(space.unit)
    fresh = 1 / (1 + len(labelled) / FADING)
    weight = np.ones(rows) if doubt is None else np.maximum(doubt, 0.0) ** TEMPER
    if not weight.any():  # decided everywhere: no row matters more than another
        weight = np.ones(rows)
    units, lengths = space.units(labelled)
    return greedy(
        space.unit * space.length[:, None] ** fresh,
        units * lengths[:, None] ** fresh,
        count,
        weight * space.density**-fresh,
        np.ones(rows, dtype=bool) if free is None else free,
    )


def greedy(
    seen: FloatArray,
    labelled: FloatArray,
    count: int,
    weight: FloatArray,
    free: npt.NDArray[np.bool_],
    penalty: float = PENALTY,
) -> IntArray:
    """The design itself, for rows ``seen`` (n, d) of ``weight`` (n,); see the module."""
    open_ = free.copy()
    inner = labelled.T @ labelled + penalty * np.eye(seen.shape[1])
    left = seen @ (penalty * np.linalg.inv(inner))  # (n, d): S u of each row
    gain = np.einsum("nd,nd->n", left @ ((seen * weight[:, None]).T @ seen), left)
    variance = np.einsum("nd,nd->n", left, seen)
    chosen: list[int] = []
    for _ in range(min(count, int(open_.sum()))):
        best = int(np.argmax(np.where(open_, gain / (variance + penalty), -np.inf)))
        chosen.append(best)
        open_[best] = False
        shared = left @ seen[best]  # (n,): what is known of each row through the one chosen
        scale = variance[best] + penalty
        heavy = weight * shared
        gain -= 2 * shared / scale * (left @ (heavy @ seen))
        gain += (shared / scale) ** 2 * float(heavy @ shared)
        variance -= shared**2 / scale
        left -= np.outer(shared / scale, left[best].copy())
    return np.asarray(chosen, dtype=np.int64)
