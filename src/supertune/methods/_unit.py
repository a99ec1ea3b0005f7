"""Vectors of length 1, for methods that compare directions."""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray


def unit(vectors: FloatArray) -> FloatArray:
    """Rows (n, d) made of length 1, float32; a row of zeros stays one."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)
