"""The shares of the classes among unlabelled rows, where they differ from the labelled rows'.

A classifier's probabilities assume the shares of the rows that it learned from. Maximum likelihood
by expectation maximisation finds the shares under which the probabilities agree with themselves
(Saerens, Latinne and Decaestecker 2002): only the shares may differ, not what the rows of a class
are like.
"""

from __future__ import annotations

import numpy as np

from supertune.contracts import FloatArray

STEPS, SETTLED = 200, 1e-6


def class_shares(probabilities: FloatArray, learned: FloatArray) -> FloatArray:
    """(C,) shares of the classes among rows of probabilities (m, C), by a classifier that learned
    from rows of shares ``learned`` (C,); a class that it has not seen has none."""
    known = np.where(learned > 0, learned, np.inf)
    shares = np.asarray(learned, dtype=np.float64)
    for _ in range(STEPS):
        weighted = probabilities * (shares / known)
        found = (weighted / np.maximum(weighted.sum(axis=1, keepdims=True), 1e-300)).mean(axis=0)
        moved = float(np.abs(found - shares).max())
        shares = found
        if moved < SETTLED:
            break
    return np.asarray(shares / max(shares.sum(), 1e-300))
