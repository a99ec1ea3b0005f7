"""What loops of their own have in common: a detector's and a denoiser's steps, and the outcome.

Heads and adapters that answer with labels or values are trained by `supertune.training.descent`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from supertune.contracts import FloatArray, Method, Problem, Tuned
from supertune.training.codes import stop

WARMING = 0.1  # share of the steps in which the learning rate rises
WATCHED = 2  # pictures that a fitted model is held to


def set_rate(optimizer: Any, rate: float, step: int, steps: int) -> None:
    """Linear rise, then half a cosine down to nothing."""
    warm = max(1, round(WARMING * steps))
    if step < warm:
        factor = (step + 1) / warm
    else:
        factor = 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
    for group in optimizer.param_groups:
        group["lr"] = rate * factor


def descend(
    optimizer: Any, loss: Any, parameters: Sequence[Any], *, clipped: float, step: int
) -> float:
    """One step down a loss; its value before.

    Args:
        clipped: the norm that a gradient is cut to.
        step: its number, from 0.

    Raises:
        SupertuneError: ``loss_not_finite``.
    """
    import torch

    if not bool(torch.isfinite(loss)):
        raise stop("loss_not_finite", f"step {step + 1}")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, clipped)
    optimizer.step()
    return float(loss.detach())


def endless(rng: np.random.Generator, count: int, first: int = 0) -> Iterator[int]:
    """Numbers from ``first`` on, each of ``count`` once before any comes again."""
    while True:
        yield from (first + rng.permutation(count)).tolist()


def sound(method: Method, problem: Problem, options: Any, tuned: Tuned, what: str) -> FloatArray:
    """Answers of a fitted model to a few pictures that it learned from: numbers, and to the bit
    those of the same model once it is written down and restored.

    Args:
        what: that would differ, for the message.

    Raises:
        SupertuneError: ``answers_not_finite``, ``reload_differs``.
    """
    from supertune.training import fitting

    asked = problem.examples.inputs[:WATCHED]
    given = tuned.logits(asked, problem.lens)
    if not np.isfinite(given).all():
        raise stop("answers_not_finite")
    again = fitting.restore(method, tuned.state(), options, problem.head, problem.lens)
    if not np.array_equal(given, again.logits(asked, problem.lens)):
        raise stop("reload_differs", f"in {what}")
    return given
