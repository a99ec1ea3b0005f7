"""A fitted ranking held to what it was fitted on; none is trained by gradients of the shared
loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from supertune.contracts import Finding, History, Method, Problem, Recommending, Solver, Tuned
from supertune.training.codes import stop

ROWS = 16


def verified(method: Method, problem: Problem, options: Any, tuned: Tuned) -> tuple[Finding, ...]:
    """Whether lists are finite, free of what people have, and the same once restored.

    Raises:
        SupertuneError: ``answers_not_finite``, ``reload_differs``.
    """
    assert isinstance(method, Solver)
    assert isinstance(tuned, Recommending)
    inputs = [one for one in problem.examples.inputs[:ROWS] if isinstance(one, History)]
    given = tuned.logits(inputs, problem.lens)
    if not np.isfinite(given).all():
        raise stop("answers_not_finite")
    again = method.restore(tuned.state(), problem.head, problem.lens)
    if not np.array_equal(given, again.logits(inputs, problem.lens)):
        raise stop("reload_differs", "in some lists")
    return ()
