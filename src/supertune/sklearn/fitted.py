"""What a fit leaves behind: numbers that can be pickled, a backbone opened again on demand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune import choose, config, registry
from supertune.config import Recipe
from supertune.contracts import Examples, FloatArray, HeadSpec, Input, IntArray, State, Tuned
from supertune.errors import InputError
from supertune.methods.linear_probe import Head, one_hot, solve
from supertune.pipeline import Candidate, Workshop, tune
from supertune.training import fitting
from supertune.training.lens import CachedLens

WINDOW = 4096  # inputs answered at a time, so that memory does not grow with their number


@dataclass(frozen=True, eq=False)
class OnNumbers:
    """A linear head on (n, d) numbers, which are centred and divided by one scale."""

    centre: FloatArray
    scale: float
    head: Head
    method: str = "linear_probe"
    backbone: None = None

    def logits(self, rows: FloatArray) -> FloatArray:
        """(n, C) from (n, d)."""
        return self.head.apply((rows - self.centre) / self.scale)


@dataclass(frozen=True, eq=False)
class OnTexts:
    """A tuned method and what it runs on. ``tuned`` is never pickled: it holds the backbone.

    Attributes:
        sha256: of the backbone's weights, None where none takes part.
        tuned: the method as it was fitted; None in another process until it is asked.
    """

    recipe: Recipe
    candidate: Candidate
    head: HeadSpec
    sha256: str | None
    state: State
    tuned: Tuned | None = None

    @property
    def method(self) -> str:
        return self.candidate.method

    @property
    def backbone(self) -> str | None:
        return self.candidate.backbone

    def logits(self, inputs: Sequence[Input]) -> FloatArray:
        """(n, C) for n texts."""
        lens = _lens(self)
        if self.tuned is None:
            method = registry.method(self.candidate.method)
            options = config.method_options(self.recipe, self.candidate.method)
            tuned = fitting.restore(method, self.state, options, self.head, lens)
            object.__setattr__(self, "tuned", tuned)  # a memory, not a change
        assert self.tuned is not None
        parts = [
            self.tuned.logits(inputs[start : start + WINDOW], lens)
            for start in range(0, len(inputs), WINDOW)
        ]
        return np.concatenate(parts)

    def __reduce__(self) -> tuple[object, ...]:
        # As a model folder it brings neither consent nor limits; `consented` is asked again.
        return _unpickled, (
            self.recipe.model_dump(),
            self.candidate,
            self.head,
            self.sha256,
            self.state,
        )


def _unpickled(recipe: dict[str, Any], *rest: Any) -> OnTexts:
    return OnTexts(Recipe(**recipe), *rest)


def fit_numbers(
    rows: FloatArray, targets: IntArray, weights: FloatArray, outputs: int, recipe: Recipe
) -> OnNumbers:
    """``linear_probe`` on (n, d) rows, as if a backbone had made them.

    Raises:
        InputError: ``method_needs_texts``.
    """
    method = "linear_probe" if recipe.method == "auto" else registry.method(recipe.method).name
    if method != "linear_probe":
        raise InputError(
            "method_needs_texts",
            f"Method '{method}' works on texts, not on numeric features.",
            received=f"method '{method}' and {rows.shape[1]} numeric columns",
            allowed="linear_probe, auto",
            next="Leave method out, or pass the texts themselves.",
        )
    penalties = config.method_options(recipe, method).penalties
    # One scale for all columns changes nothing but the rounding, which then has no units.
    centre = np.average(rows, axis=0, weights=weights)
    scale = float(np.abs(rows - centre).max()) or 1.0
    head = solve((rows - centre) / scale, one_hot(targets, outputs), weights, penalties, False)
    return OnNumbers(centre, scale, head)


def fit_texts(examples: Examples, recipe: Recipe, unlabelled: tuple[Input, ...] = ()) -> OnTexts:
    """The recipe's method on the rows, beside ``unlabelled`` ones; compared first only where
    something is "auto".

    Raises:
        InputError: ``unlabelled_not_used``.
    """
    workshop = Workshop(recipe)
    workshop.unlabelled = unlabelled
    if unlabelled and not choose.taking_unlabelled(workshop):
        raise InputError(
            "unlabelled_not_used",
            f"{recipe.method} does not learn from unlabelled rows.",
            received=f"{len(unlabelled)} unlabelled rows and method '{recipe.method}'",
            allowed="semi_supervised, auto",
            next="Choose one of these, or leave unlabeled out.",
        )
    entries = choose.candidates(workshop, examples)
    candidate = entries[0].candidate
    if len(entries) > 1:
        deadline = time.monotonic() + recipe.time_limit
        decision = choose.decide(workshop, entries, examples, deadline, test=None)
        candidate = decision.candidate
    tuned = tune(workshop, candidate, examples)
    lens = workshop.lens(candidate.backbone)
    sha256 = None if lens is None else lens.backbone.sha256
    head = workshop.task.head(examples)
    return OnTexts(recipe, candidate, head, sha256, tuned.state(), tuned)


def _lens(fitted: OnTexts) -> CachedLens | None:
    lens = Workshop(fitted.recipe).lens(fitted.candidate.backbone)
    if lens is not None and lens.backbone.sha256 != fitted.sha256:
        raise InputError(
            "backbone_changed",
            f"{fitted.candidate.backbone} is not the backbone that this classifier was fitted on.",
            received=f"weights sha256 {lens.backbone.sha256[:16]}…",
            allowed=f"weights sha256 {str(fitted.sha256)[:16]}…",
            next="Put the original backbone back, or fit again.",
        )
    return lens
