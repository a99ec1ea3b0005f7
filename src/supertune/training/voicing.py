"""A fitted voice held to what it was fitted on. Methods of it find their numbers by themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from supertune.contracts import Finding, Method, Problem, Tuned
from supertune.contracts.voices import FIGURES
from supertune.training.codes import stop
from supertune.training.steps import WATCHED

SPARED = 0.5  # of the words of a sentence that was learned from; more of them wrong is a warning


def verified(method: Method, problem: Problem, options: Any, tuned: Tuned) -> tuple[Finding, ...]:
    """Whether a few sentences are figures, are understood, and are the same once the voice is
    written down and restored.

    Raises:
        SupertuneError: ``answers_not_finite``, ``reload_differs``.
    """
    from supertune.training import fitting

    asked = problem.examples.inputs[:WATCHED]
    given = tuned.logits(asked, problem.lens)
    told = dict(zip(FIGURES, given.T, strict=True))
    if not np.isfinite(given).all():
        raise stop("answers_not_finite")
    again = fitting.restore(method, tuned.state(), options, problem.head, problem.lens)
    if not np.array_equal(given, again.logits(asked, problem.lens)):
        raise stop("reload_differs", "in the figures of sentences learned from")
    if told["errors"].sum() <= SPARED * max(1.0, told["words"].sum()):
        return ()
    message = "Half of the words of sentences that were learned from are not understood any more."
    return (Finding("not_understood", message),)
