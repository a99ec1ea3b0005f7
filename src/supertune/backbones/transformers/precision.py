"""bf16 where this machine is fast at it and the backbone bears it; float32 otherwise.

Matrix products then take operands of 8 bits of mantissa and add in float32 (mixed precision,
Micikevicius et al. 2018, arXiv:1710.03740); weights, normalisation, pooled vectors, heads and
losses stay in float32. Nothing is decided by the name of a processor: `fast` times two products,
and `agreement` compares what the backbone says in both. Both are measured once and kept.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from supertune.catalogue.measured import remembered
from supertune.contracts import Encoding

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

Precision = Literal["fp32", "bf16"]

WORTH = 1.3  # times as fast in a plain product, or rounding is given away for nothing
BORNE = 0.03  # largest distance of two vectors, of their length
SIZE = 512  # of the matrices that are multiplied
TRIES = 7


def settled(backbone: TransformersBackbone, wanted: str) -> Precision:
    """``"auto"`` resolved for this backbone on this machine; others as they are."""
    if wanted == "bf16":
        return "bf16"
    if wanted == "fp32" or not fast(backbone.device):
        return "fp32"
    return "bf16" if agreement(backbone) <= BORNE else "fp32"


def fast(device: Any) -> bool:
    """Whether products of bf16 matrices are `WORTH` it there."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device.type != "cpu":
        return False
    name = f"bf16 against fp32, torch {torch.__version__}"
    return float(remembered(name, _ratio)) >= WORTH  # type: ignore[arg-type]


def agreement(backbone: TransformersBackbone) -> float:
    """Largest distance between a vector in bf16 and in float32, of its length, over samples."""
    name = f"bf16 vectors of {backbone.sha256}, {backbone.arithmetic}"
    return float(remembered(name, lambda: _apart(backbone)))  # type: ignore[arg-type]


def computing(precision: Precision, device: Any) -> AbstractContextManager[Any]:
    """Inside, matrix products run in ``precision``."""
    import torch

    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def _ratio() -> float:
    import torch

    made = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    least = dict.fromkeys((torch.float32, torch.bfloat16), np.inf)
    with torch.inference_mode():
        for _ in range(TRIES):
            for kind in least:
                given = made.to(kind)
                start = time.perf_counter()
                given @ given
                least[kind] = min(least[kind], time.perf_counter() - start)
    return least[torch.float32] / least[torch.bfloat16]


def _apart(backbone: TransformersBackbone) -> float:
    encoding = Encoding(max_length=128)
    tokens = backbone.tokens(backbone.reader.samples(), encoding)
    with backbone.at("fp32"):
        exact = backbone.features(tokens, encoding)
    with backbone.at("bf16"):
        rounded = backbone.features(tokens, encoding)
    apart = np.linalg.norm(exact - rounded, axis=1) / np.linalg.norm(exact, axis=1)
    return float(apart.max()) if np.isfinite(apart).all() else float("inf")
