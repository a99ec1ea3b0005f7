"""Which rows to label next: those that take most doubt away from the pool, one after another.

Each row is a direction u in feature space. Under a ridge head with penalty λ, labelling rows A
leaves the covariance S = λ (AᵀA + λ I)⁻¹, and labelling row i besides takes
``(uᵢᵀ S uⱼ)² / (uᵢᵀ S uᵢ + λ)`` from the variance at row j. The row is chosen whose gain, summed
over the pool, is largest, S is updated, and the next one chosen: transductive experimental design
(Yu, Bi & Tresp 2006), greedy. Rows for which many others stand come first, a second row like
one that is labelled gains little, so a batch is diverse by itself. No label is needed for it.

Once there is a model, each row j counts by how undecided the model is about it, so that the same
rule turns from typical rows to those where classes meet. A far-off row that is merely odd gains
little, since nothing lies near it; uncertainty sampling takes such rows first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray, IntArray

# On unit directions; chosen in `benchmarks.study_labels` on draws that it does not report.
PENALTY = 1.0


def directions(features: FloatArray, *, like: FloatArray | None = None) -> FloatArray:
    """Rows (n, d) as seen from the mean of ``like`` (itself by default), of length 1, float32."""
    centre = np.asarray(features if like is None else like, dtype=np.float64).mean(axis=0)
    away = np.asarray(features, dtype=np.float64) - centre
    lengths = np.linalg.norm(away, axis=1, keepdims=True)
    return np.asarray(away / np.maximum(lengths, 1e-12), dtype=np.float32)


def choose(
    pool: FloatArray,
    labelled: FloatArray,
    count: int,
    *,
    doubt: FloatArray | None = None,
    free: npt.NDArray[np.bool_] | None = None,
    penalty: float = PENALTY,
) -> IntArray:
    """Indices of at most ``count`` rows of the pool, the most useful first.

    Args:
        pool: (n, d) `directions` of the rows that matter.
        labelled: (m, d) those of the rows that are labelled, which may be none.
        doubt: (n,) from 0, decided, to 1; all alike without it.
        free: (n,) which may be chosen; all without it. The others still matter.
        penalty: of the ridge head that is thought of.

    Time is O(n d²) once and O(n d) a row chosen, memory O(n d).
    """
    rows, width = pool.shape
    weight = np.ones(rows) if doubt is None else np.asarray(doubt, dtype=np.float64)
    if not weight.any():  # decided everywhere: no row matters more than another
        weight = np.ones(rows)
    open_ = np.ones(rows, dtype=bool) if free is None else free.copy()
    inner = labelled.astype(np.float64).T @ labelled + penalty * np.eye(width)
    seen = pool.astype(np.float64)
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
