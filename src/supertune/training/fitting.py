"""Fitting, restoring and cross-fitting any method, whichever kind it is."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from supertune.contracts import (
    FloatArray,
    FoldSolver,
    GradientMethod,
    HeadSpec,
    IntArray,
    Lens,
    Method,
    Problem,
    Replaying,
    Solver,
    State,
    Stepping,
    Tuned,
)
from supertune.errors import InputError
from supertune.training import processes

Folds = Sequence[tuple[IntArray, IntArray]]

# By `HeadSpec.kind`.
TRAINED_BY = {
    "": "loop",
    "boxes": "detecting",
    "draws": "denoising",
    "losses": "styling",
    "characters": "transcribing",
    "figures": "voicing",
    "listed": "recommending",
    "translation": "translating",
    "completion": "completing",
}


def fit(method: Method, problem: Problem, options: Any) -> Tuned:
    """A fitted method; gradient methods go through the shared loop."""
    if isinstance(method, GradientMethod):
        processes.check(problem.head)
        trained: Tuned = trainer(problem.head, problem.lens).train(method, problem, options)
        return trained
    return cast(Solver, method).fit(problem, options)


def restore(method: Method, state: State, options: Any, head: HeadSpec, lens: Lens | None) -> Tuned:
    """What `fit` returned, from its state."""
    if isinstance(method, GradientMethod):
        restored: Tuned = trainer(head, lens).restore(method, state, options, head, lens)
        return restored
    return cast(Solver, method).restore(state, head, lens)


def trainer(head: HeadSpec, lens: Lens | None) -> Any:
    """The module that trains by gradients what answers so, on such a backbone."""
    if not head.kind and lens is not None and isinstance(lens.backbone, Stepping):
        return importlib.import_module("supertune.training.stepping")
    return importlib.import_module(f"supertune.training.{TRAINED_BY[head.kind]}")


def out_of_fold(
    method: Method,
    problem: Problem,
    options: Any,
    repeats: Sequence[Folds],
    *,
    done: Callable[[int, int], None] | None = None,
) -> FloatArray:
    """(R, n, C) logits: each row answered by models that did not see it, once a repeat.

    Raises:
        InputError: ``folds_are_paid_for``, of a method that is ``paid``.
    """
    flat = [fold for folds in repeats for fold in folds]
    if getattr(method, "paid", False):
        raise _paid_for(method, len(flat))
    if isinstance(method, FoldSolver):
        answers = method.out_of_fold(problem, options, flat)
    else:
        answers = []
        for number, (train, test) in enumerate(flat):
            part = replace(problem, examples=problem.examples.take(train))
            tuned = fit(method, part, options)
            inputs = [problem.examples.inputs[i] for i in test]
            answer = tuned.held_out if isinstance(tuned, Replaying) else tuned.logits
            answers.append(answer(inputs, problem.lens))
            if done is not None:
                done(number + 1, len(flat))
    logits = np.full((len(repeats), len(problem.examples), problem.head.width), np.nan)
    position = 0
    for repeat, folds in enumerate(repeats):
        for _, test in folds:
            logits[repeat, test] = answers[position]
            position += 1
    return logits


def _paid_for(method: Method, folds: int) -> InputError:
    return InputError(
        "folds_are_paid_for",
        f"Cross-validation of {method.name} would pay for it {folds} times more.",
        received=f"{folds} folds",
        allowed="one fit, judged by rows that it did not learn from",
        next="Leave --search and --max-error out; epochs and the like are given by --set.",
    )
