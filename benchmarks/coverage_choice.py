"""Choosing among candidates, many times: the score printed for the winner, and its true one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.coverage_draws import BACKBONE, MAX_LENGTH, composition, labels_pool
from benchmarks.pools import MEMORY, Pool
from supertune import metrics, registry
from supertune.config import recipe
from supertune.contracts import Examples, FloatArray, IntArray, Options, Problem
from supertune.evaluation.choice import corrected_choice
from supertune.pipeline import Workshop
from supertune.training import fitting

PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
OTHER = "minilm"
REPEATS = 2
UNSEEN = 1000  # texts that the bag of words is asked about, which is slow


@dataclass(frozen=True, eq=False)
class Contender:
    """A method with fixed options over a backbone, or none."""

    method: str
    options: Options
    backbone: str | None

    @property
    def name(self) -> str:
        penalties = getattr(self.options, "penalties", None)
        with_penalty = "" if penalties is None else f" {penalties[0]:g}"
        return f"{self.backbone or 'no backbone'} + {self.method}{with_penalty}"


def contenders() -> list[Contender]:
    """Nine, simplest first."""

    def plain(method: str, backbone: str | None) -> Contender:
        return Contender(method, registry.method(method).options(), backbone)

    heads = [
        Contender(
            "linear_probe", registry.method("linear_probe").options(penalties=(one,)), BACKBONE
        )
        for one in reversed(PENALTIES)
    ]
    names = [plain("label_names", BACKBONE), plain("nearest_centroid", BACKBONE)]
    return [plain("bag_of_words", None), *names, *heads, plain("linear_probe", OTHER)]


class Arena:
    """A pool with what every contender needs of it."""

    def __init__(self, data: str) -> None:
        self.pool: Pool = labels_pool(data)
        self.shop = self.pool.workshop
        settled = recipe({"backbone": OTHER, "max_length": MAX_LENGTH, "device": "cpu"})
        other = Workshop(settled)
        other.store.memory_bytes = MEMORY
        self.shops = {None: self.shop, BACKBONE: self.shop, OTHER: other}
        whole = self.pool.examples
        self.features = {
            name: self.shops[name].problem(whole, name).features for name in (BACKBONE, OTHER)
        }
        self.head = self.shop.task.head(whole)

    def problem(self, one: Contender, examples: Examples) -> Problem:
        return self.shops[one.backbone].problem(examples, one.backbone)

    def answers(self, logits: FloatArray) -> FloatArray:
        return self.shop.answers(logits, self.pool.examples.labels, self.head)

    def true(self, one: Contender, mine: IntArray, others: IntArray, weights: FloatArray) -> float:
        """Accuracy on unseen rows of the contender fitted on all of its rows."""
        examples = self.pool.examples
        targets = examples.targets
        assert targets is not None
        tuned: Any = fitting.fit(
            registry.method(one.method), self.problem(one, examples.take(mine)), one.options
        )
        if one.backbone is None:
            others = np.random.default_rng(len(mine)).permutation(others)[:UNSEEN]
            logits = tuned.logits([examples.inputs[i] for i in others], None)
        else:
            apply: Callable[[FloatArray], FloatArray] = getattr(tuned, "apply", None) or (
                tuned.similarities
            )
            logits = apply(self.features[one.backbone][others])
        right = self.answers(logits).argmax(axis=1) == targets[others]
        return float((right * weights[others]).sum() / weights[others].sum())


def chosen(data: str, rows: int, draws: int) -> dict[str, Any]:
    """Means over draws of what is printed for the winner less what is true: ``corrected`` as
    reports have it, ``raw`` by the winner's own cross-validated score; ``named`` is that of a
    contender which was named beforehand, another one each draw. Also their standard errors, and
    how often the printed interval holds the truth.
    """
    arena, options = Arena(data), contenders()
    targets = arena.pool.examples.targets
    assert targets is not None
    sides = [arena.pool.draw(rows, seed)[0] for seed in range(draws)]
    weights = composition(arena.pool, sides)
    biases: dict[str, list[float]] = {"corrected": [], "raw": [], "named": []}
    held = 0
    for draw, mine in enumerate(sides):
        others = np.setdiff1d(np.arange(len(targets)), mine)
        own = arena.pool.examples.take(mine)
        folds = arena.shop.folds(own, REPEATS)
        answers = {
            one.name: np.stack([arena.answers(each) for each in fitting.out_of_fold(
                registry.method(one.method), arena.problem(one, own), one.options, folds)])
            for one in options
        }  # fmt: skip
        choice = corrected_choice(
            metrics.classification, answers, own.targets, "accuracy", True, list(answers),
            tolerance=arena.shop.objective.tolerance, decider=arena.shop.objective.decider, seed=0,
        )  # fmt: skip
        winner = next(one for one in options if one.name == choice.winner)
        standing = {one.name: one.estimate.value for one in choice.table}
        truth = arena.true(winner, mine, others, weights)
        biases["corrected"].append(choice.estimate.value - truth)
        biases["raw"].append(standing[winner.name] - truth)
        named = options[1 + draw % (len(options) - 1)]  # the bag of words is slow to judge
        biases["named"].append(standing[named.name] - arena.true(named, mine, others, weights))
        held += choice.estimate.low <= truth <= choice.estimate.high
    return {"contenders": len(options), "covered": held / draws, **_summary(biases)}


def _summary(biases: Mapping[str, list[float]]) -> dict[str, float]:
    found = {}
    for name, values in biases.items():
        found[name] = float(np.mean(values))
        found[f"{name}_error"] = float(np.std(values, ddof=1) / np.sqrt(len(values)))
    return found
