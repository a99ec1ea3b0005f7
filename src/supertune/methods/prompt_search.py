"""Several prompts tried on the labelled rows; the one with the least log loss is kept.

The search is part of the model: each cross-validation fold searches among its own training rows,
so the printed estimate has paid for the choice (Perez et al. 2021, arXiv:2105.11447, show how
little a choice on a few rows is worth otherwise).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from supertune.contracts import (
    FloatArray,
    HeadSpec,
    IntArray,
    Lens,
    Options,
    Problem,
    Prompt,
    State,
)
from supertune.methods._asking import Asked, label_scores, learned_bias, prompt_of
from supertune.prompts import template as templates
from supertune.prompts.likelihoods import Calibration, log_shares


class PromptSearchOptions(Options):
    """Keys of ``prompt_search``."""

    calibration: Calibration = "batch"
    templates: tuple[str, ...] = Field((), description="your own, tried beside the presets")
    most: int = Field(8, ge=1, le=100, description="prompts tried; each reads every row once")


@dataclass(frozen=True, eq=False)
class _Tried:
    """P prompts and their label scores (n, C) on all rows."""

    problem: Problem
    prompts: tuple[Prompt, ...]
    scores: list[FloatArray]
    calibration: Calibration

    def best(self, rows: IntArray) -> tuple[int, FloatArray, list[float]]:
        """The prompt for ``rows``: the first within one standard error of the least log loss,
        so that chance alone moves nothing; its bias, and the loss of each."""
        biases = [
            learned_bias(self.problem, prompt, own, self.calibration, rows)
            for prompt, own in zip(self.prompts, self.scores, strict=True)
        ]
        losses = np.stack(
            [self._loss(own[rows] + b, rows) for own, b in zip(self.scores, biases, strict=True)]
        )
        mean = losses.mean(axis=1)
        least = int(np.argmin(mean))
        gaps = losses - losses[least]
        error = gaps.std(axis=1) / np.sqrt(max(1, losses.shape[1]))
        chosen = int(np.flatnonzero(mean - mean[least] <= error)[0])
        return chosen, biases[chosen], [round(float(value), 4) for value in mean]

    def _loss(self, logits: FloatArray, rows: IntArray) -> FloatArray:
        targets = self.problem.examples.targets
        assert targets is not None
        if self.problem.head.multi_label:
            return np.asarray((np.logaddexp(0, logits) - targets[rows] * logits).sum(axis=1))
        return np.asarray(-log_shares(logits)[np.arange(len(rows)), targets[rows]])


class PromptSearch:
    """See `supertune.contracts.FoldSolver`."""

    name = "prompt_search"
    summary = "Tries several prompts on the rows; the estimate has paid for the search"
    reference = "Perez et al. 2021, arXiv:2105.11447"
    needs = frozenset({"score_text"})
    objectives = frozenset({"classify"})
    simplicity = 16
    options: type[Options] = PromptSearchOptions

    def fit(self, problem: Problem, options: PromptSearchOptions) -> Asked:
        tried = _tried(problem, options)
        chosen, found, losses = tried.best(np.arange(len(problem.examples)))
        searched = tuple(
            {"template": prompt.template, "log_loss": loss}
            for prompt, loss in zip(tried.prompts, losses, strict=True)
        )
        return Asked(tried.prompts[chosen], found, searched, problem.examples.labels)

    def out_of_fold(
        self,
        problem: Problem,
        options: PromptSearchOptions,
        folds: Sequence[tuple[IntArray, IntArray]],
    ) -> list[FloatArray]:
        tried = _tried(problem, options)
        answers: list[FloatArray] = []
        for train, test in folds:
            chosen, found, _ = tried.best(train)
            answers.append(tried.scores[chosen][test] + found)
        return answers

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Asked:
        return Asked.from_state(state)


def _tried(problem: Problem, options: PromptSearchOptions) -> _Tried:
    assert problem.lens is not None
    first = prompt_of(problem)
    count = 1 if isinstance(problem.examples.inputs[0], str) else len(problem.examples.inputs[0])
    own = [
        Prompt(templates.check(text, count), first.words, first.shown, first.chat, first.rule)
        for text in options.templates
    ]
    prompts = tuple(dict.fromkeys([*own, *problem.prompts]))[: options.most]
    scores = []
    for number, prompt in enumerate(prompts):
        scores.append(label_scores(problem.lens, prompt, problem.examples.inputs))
        if problem.progress is not None:
            problem.progress(number + 1, len(prompts))
    return _Tried(problem, prompts, scores, options.calibration)


METHOD = PromptSearch()
