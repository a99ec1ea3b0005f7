"""Supervised contrastive loss: rows of one label are drawn together, others pushed apart.

Khosla et al. 2020, arXiv:2004.11362, the form with the sum outside the logarithm. All rows of a
batch are compared at once, so work is linear in the rows that pass through the backbone and no
list of pairs is made.
"""

from __future__ import annotations

from typing import Any


def loss(vectors: Any, targets: Any, weights: Any, temperature: float) -> Any:
    """A scalar from vectors (n, d), targets (n,) or (n, C) of zeros and ones, weights (n,).

    Rows that share a label are positives of one another; a row that shares none counts nothing.
    """
    import torch

    unit = torch.nn.functional.normalize(vectors, dim=-1)
    own = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    close = (unit @ unit.T / temperature).masked_fill(own, -torch.inf)
    log_shares = (close - close.logsumexp(dim=1, keepdim=True)).masked_fill(own, 0.0)
    same = targets[:, None] == targets[None] if targets.ndim == 1 else targets @ targets.T > 0
    positive = (same & ~own).to(unit.dtype)
    count = positive.sum(dim=1)
    rows = -(positive * log_shares).sum(dim=1) / count.clamp(min=1)
    counted = weights * (count > 0)
    return (rows * counted).sum() / counted.sum().clamp(min=1e-12)
