"""Candidates and folds of one fit by workers of Ray: none of them waits for another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from supertune import pipeline, registry
from supertune.api.cluster import Cluster, cluster
from supertune.config import Recipe
from supertune.contracts import Examples, FloatArray, FoldSolver, Input
from supertune.errors import InputError
from supertune.opening import engine_of
from supertune.pipeline import Candidate, Done, Folds, Workshop


def settled(recipe: Recipe, ray: str | None) -> Recipe:
    """The recipe of a fit over workers: nothing in it depends on a clock, and threads are said.

    Raises:
        InputError: ``clock_would_choose``.
    """
    if ray is None:
        return recipe
    named = recipe.method != "auto"
    if named and registry.method(recipe.method).needs:
        named = recipe.backbone != "auto"
    if recipe.max_candidates is None and not named:
        raise InputError(
            "clock_would_choose",
            "Workers are fast or slow by turns, so clocks must not choose what they try.",
            received=f"method {recipe.method}, backbone {recipe.backbone}, no number of candidates",
            allowed="a number of candidates, or a method and a backbone by name",
            next="Add --max-candidates 6; `supertune plan` lists them in their order.",
        )
    said = {"max_candidates": recipe.max_candidates or 1, "threads": recipe.threads or 1}
    return recipe.model_copy(update=said)


@contextmanager
def spread(workshop: Workshop, ray: str | None, workers: int | None) -> Iterator[None]:
    """Inside, what the workshop cross-fits is done by workers.

    Raises:
        EnvironmentFault, InputError: as `supertune.api.cluster.cluster`.
    """
    if ray is None:
        yield
        return
    with cluster(ray, workers, workshop.recipe.threads) as joined:
        before, workshop.begin = workshop.begin, _Spread(joined)
        try:
            yield
        finally:
            workshop.begin = before


@dataclass(eq=False)
class _Spread:
    """A `pipeline.Begin` by workers. Rows are sent to each machine once, and activations pass
    through the cache of a machine."""

    cluster: Cluster
    _shared: dict[int, tuple[Any, Any]] = field(default_factory=dict)

    def __call__(
        self, workshop: Workshop, candidate: Candidate, examples: Examples, folds: Folds, done: Done
    ) -> Callable[[], FloatArray]:
        name = candidate.backbone
        if name is not None and getattr(engine_of(name), "metered", False):
            return pipeline.here(workshop, candidate, examples, folds, done)
        rows, others = self._share(examples), self._share(workshop.unlabelled)
        solved = isinstance(registry.method(candidate.method), FoldSolver)
        # What solves all folds at once does so; every other fold is trained for itself.
        parts = [folds] if solved else [[[fold]] for repeat in folds for fold in repeat]
        waits = [
            self.cluster.begun(_logits, workshop.recipe, others, candidate, rows, part)
            for part in parts
        ]

        def logits() -> FloatArray:
            if solved:
                return np.asarray(waits[0]())
            tests = [(number, test) for number, repeat in enumerate(folds) for _, test in repeat]
            found: FloatArray | None = None
            for number, ((repeat, test), wait) in enumerate(zip(tests, waits, strict=True), 1):
                (part,) = wait()
                if found is None:
                    found = np.full((len(folds), *part.shape), np.nan)
                found[repeat, test] = part[test]
                if done is not None:
                    done(number, len(waits))
            assert found is not None
            return found

        return logits

    def _share(self, value: Any) -> Any:
        if id(value) not in self._shared:
            self._shared[id(value)] = value, self.cluster.share(value)  # which keeps its id taken
        return self._shared[id(value)][1]


def _logits(
    recipe: Recipe,
    unlabelled: tuple[Input, ...],
    candidate: Candidate,
    examples: Examples,
    folds: Folds,
) -> FloatArray:
    """What a worker does."""
    workshop = Workshop(recipe, unlabelled=unlabelled)
    return pipeline.here(workshop, candidate, examples, folds)()
