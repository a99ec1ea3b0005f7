"""Several prompts tried on the labelled rows; the one with the least log loss is kept.

First templates. Then, with ``shots``, answered rows in front of the best of them, in several
orders: what a model answers depends much on the order (Lu et al. 2022, arXiv:2104.08786). Rows that
are shown are copied, so they are judged by nothing; all prompts are compared on the others.

The search is part of the model: each cross-validation fold searches among its own training rows,
so the printed estimate has paid for the choice (Perez et al. 2021, arXiv:2105.11447, show how
little a choice on a few rows is worth otherwise).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

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
    fields_of,
)
from supertune.methods._asking import Asked, label_scores, learned_bias, prompt_of
from supertune.methods._shown import in_turns, showing, written
from supertune.prompts import template as templates
from supertune.prompts.likelihoods import Calibration, log_shares


class PromptSearchOptions(Options):
    """Keys of ``prompt_search``."""

    calibration: Calibration = "batch"
    templates: tuple[str, ...] = Field((), description="your own, tried beside the presets")
    most: int = Field(8, ge=1, le=100, description="templates tried; each reads every row once")
    shots: int = Field(
        0, ge=0, le=64, description="answered rows to show as well, at most half of the rows"
    )
    orders: int = Field(
        4,
        ge=1,
        le=24,
        description="orders of the shown rows tried; each fold reads its rows as often",
    )

    @property
    def holds_rows(self) -> bool:
        """The rows shown are part of the model."""
        return self.shots > 0


@dataclass(frozen=True, eq=False)
class _Found:
    """A prompt, its bias (C,), and every prompt that was compared with its log loss."""

    prompt: Prompt
    bias: FloatArray
    searched: tuple[dict[str, Any], ...]


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
        pairs = zip(self.scores, biases, strict=True)
        losses = [_loss(self.problem, own[rows] + one, rows) for own, one in pairs]
        chosen, mean = _first_of_the_best(np.stack(losses))
        return chosen, biases[chosen], mean


def _loss(problem: Problem, logits: FloatArray, rows: IntArray) -> FloatArray:
    """(rows,) log loss."""
    targets = problem.examples.targets
    assert targets is not None
    if problem.head.multi_label:
        return np.asarray((np.logaddexp(0, logits) - targets[rows] * logits).sum(axis=1))
    return np.asarray(-log_shares(logits)[np.arange(len(rows)), targets[rows]])


def _first_of_the_best(losses: FloatArray) -> tuple[int, list[float]]:
    """Of (P, rows) losses the first prompt within one standard error of the least mean, and the
    means."""
    mean = losses.mean(axis=1)
    least = int(np.argmin(mean))
    gaps = losses - losses[least]
    error = gaps.std(axis=1) / np.sqrt(max(1, losses.shape[1]))
    chosen = int(np.flatnonzero(mean - mean[least] <= error)[0])
    return chosen, [round(float(value), 4) for value in mean]


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
        everything = np.arange(len(problem.examples))
        found = _searched(problem, options, _tried(problem, options), everything)
        return Asked(found.prompt, found.bias, found.searched, problem.examples.labels)

    def out_of_fold(
        self,
        problem: Problem,
        options: PromptSearchOptions,
        folds: Sequence[tuple[IntArray, IntArray]],
    ) -> list[FloatArray]:
        assert problem.lens is not None
        tried = _tried(problem, options)
        answers: list[FloatArray] = []
        for train, test in folds:
            found = _searched(problem, options, tried, train)
            asked = [problem.examples.inputs[i] for i in test]
            answers.append(label_scores(problem.lens, found.prompt, asked) + found.bias)
        return answers

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Asked:
        return Asked.from_state(state)


def _searched(
    problem: Problem, options: PromptSearchOptions, tried: _Tried, rows: IntArray
) -> _Found:
    """The search among ``rows`` alone: a template, then whether to show rows and in which order."""
    examples = problem.examples.take(rows)
    count = min(options.shots, len(rows) // 2)
    shown = in_turns(examples, count, problem.seed, None)
    rest = np.delete(rows, np.array(shown, dtype=np.intp))
    chosen, bias, losses = tried.best(rest)
    searched: list[dict[str, Any]] = [
        {"template": prompt.template, "log_loss": loss}
        for prompt, loss in zip(tried.prompts, losses, strict=True)
    ]
    best = tried.prompts[chosen]
    if not shown:
        return _Found(best, bias, tuple(searched))
    found, biases = [best], [bias]
    compared = [_loss(problem, tried.scores[chosen][rest] + bias, rest)]
    orders = _orders(shown, options.orders, problem.seed)
    for order in orders:
        assert problem.lens is not None
        prompt = showing(best, written(examples, best, order), problem.lens)
        part = replace(problem, examples=problem.examples.take(rest))
        own = label_scores(problem.lens, prompt, part.examples.inputs)
        biases.append(learned_bias(part, prompt, own, options.calibration))
        compared.append(_loss(problem, own + biases[-1], rest))
        found.append(prompt)
    place, means = _first_of_the_best(np.stack(compared))
    searched += [
        {
            "template": best.template,
            "shown": [int(examples.rows[i]) for i in order],
            "log_loss": loss,
        }
        for order, loss in zip(orders, means[1:], strict=True)
    ]
    return _Found(found[place], biases[place], tuple(searched))


def _orders(shown: list[int], count: int, seed: int) -> list[list[int]]:
    """Up to ``count`` orders, no two alike: the given one, in which labels take turns, then
    permutations drawn at random."""
    rng = np.random.default_rng(seed)
    found = {tuple(shown): None}
    for _ in range(20 * count):  # of few rows there may not be so many
        if len(found) >= count:
            break
        found[tuple(int(i) for i in rng.permutation(shown))] = None
    return [list(order) for order in found]


def _tried(problem: Problem, options: PromptSearchOptions) -> _Tried:
    assert problem.lens is not None
    first = prompt_of(problem)
    count = len(fields_of(problem.examples.inputs[0]))
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


def with_template_found(problem: Problem) -> Problem:
    """The same problem with the prompt that a search with the defaults finds on its rows first."""
    found = METHOD.fit(problem, PromptSearchOptions()).prompt
    others = (prompt for prompt in problem.prompts if prompt != found)
    return replace(problem, prompts=(found, *others))
