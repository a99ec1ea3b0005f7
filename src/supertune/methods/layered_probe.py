"""A linear head on several layers of a frozen encoder at once, in closed form.

Few rows of a task unlike that of the pretraining are often told apart better by inner layers, or
by layers together, than by the last one (Evci et al. 2022, arXiv:2201.03529). Which of a few sets
of layers is read, and at how many pixels a side if several are given, is chosen like the penalty,
by exact leave-one-out on the rows learned from, so an outer fold takes no part in it. All folds
are solved as one batch of small matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from supertune.contracts import (
    FloatArray,
    HeadSpec,
    Input,
    IntArray,
    Lens,
    Options,
    Problem,
    State,
)
from supertune.limits import Splitting, check, room
from supertune.methods._grams import GramBatch, Grams, Layers, SideBySide, Source, columns
from supertune.methods._views import in_views, widened
from supertune.methods.linear_probe import Head, LinearProbeOptions, one_hot, row_weights

COPIES = 6  # of the matrices of all folds, that solving them together holds at once


class LayeredProbeOptions(LinearProbeOptions):
    """Keys of ``layered_probe``."""

    resolutions: tuple[int, ...] = Field(
        (),
        max_length=8,
        description="pixels a side to choose among by leave-one-out, as the layers are; every "
        "picture is encoded at each",
    )


@dataclass(frozen=True, eq=False)
class LayeredHead:
    """logits = vectors of ``layers`` side by side @ weight + bias; ``resolution`` is the number of
    pixels a side that was chosen, None where there was nothing to choose among."""

    head: Head
    layers: Layers
    resolution: int | None = None

    @property
    def tuned_parameters(self) -> int:
        return self.head.tuned_parameters

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        if self.resolution is not None:
            lens = lens.under(replace(lens.encoding, resolution=self.resolution))
        own = columns(lens.parts, self.layers)
        return self.head.apply(lens.readings(inputs, prediction=True)[:, own])

    def state(self) -> State:
        chosen = {} if self.resolution is None else {"resolution": self.resolution}
        return State(self.head.arrays(), {"layers": list(self.layers), **chosen})


class LayeredProbe:
    """See `supertune.contracts.FoldSolver`."""

    name = "layered_probe"
    summary = "A linear head on several frozen layers at once; which ones, by leave-one-out"
    reference = "after Evci et al. 2022 (Head2Toe), arXiv:2201.03529; ridge as linear_probe"
    needs = frozenset({"features", "layers"})
    objectives = frozenset({"classify", "regress"})
    simplicity = 22
    calibrates = True
    options: type[Options] = LayeredProbeOptions

    def fit(self, problem: Problem, options: LayeredProbeOptions) -> LayeredHead:
        problem = widened(problem, options.views)
        lenses = _lenses(problem, options)
        grams = Grams.of(problem, lenses)
        everything = np.arange(len(problem.examples))[None]
        source = _chosen(problem, grams, everything, options)[0]
        read = grams.of_rows(source, everything)
        coefficients, bias = _solver(problem, read, everything).solved(options.penalties)
        head = grams.head(source, read, coefficients[0], bias[0])
        asked = lenses[source.view].encoding.resolution if options.resolutions else None
        return LayeredHead(head, source.layers, asked)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> LayeredHead:
        kept = state.settings
        own = Head.from_arrays(state.arrays)
        return LayeredHead(own, tuple(kept["layers"]), kept.get("resolution"))

    def out_of_fold(
        self,
        problem: Problem,
        options: LayeredProbeOptions,
        folds: Sequence[tuple[IntArray, IntArray]],
    ) -> list[FloatArray]:
        problem, folds = widened(problem, options.views), in_views(folds, options.views)
        grams = Grams.of(problem, _lenses(problem, options))
        answers: list[FloatArray] = [np.empty(0)] * len(folds)

        def solve_parts(parts: Sequence[Sequence[int]]) -> None:
            for numbers in parts:
                check()
                some = [folds[number] for number in numbers]
                for number, found in zip(numbers, _answers(problem, grams, some, options)):
                    answers[number] = found

        by_size: dict[int, list[int]] = {}
        for number, (train, _) in enumerate(folds):
            by_size.setdefault(len(train), []).append(number)
        for size, alike in by_size.items():
            splitting = Splitting()
            splitting.start(COPIES * 8 * len(alike) * size * size, room())
            splitting.over(alike, solve_parts)
        return answers


def _lenses(problem: Problem, options: LayeredProbeOptions) -> list[Lens]:
    """The backbone at each number of pixels that is to be chosen among."""
    lens = problem.lens
    assert lens is not None
    if not options.resolutions:
        return [lens]
    wanted = sorted(set(options.resolutions))
    return [lens.under(replace(lens.encoding, resolution=side)) for side in wanted]


def _answers(
    problem: Problem,
    grams: Grams,
    folds: Sequence[tuple[IntArray, IntArray]],
    options: LayeredProbeOptions,
) -> list[FloatArray]:
    """Logits of each fold's test rows; the folds learn from equally many rows."""
    rows = np.stack([train for train, _ in folds])
    answers: list[FloatArray] = [np.empty(0)] * len(folds)
    chosen = _chosen(problem, grams, rows, options)
    for source in dict.fromkeys(chosen):
        own = [number for number, each in enumerate(chosen) if each == source]
        read = grams.of_rows(source, rows[own])
        found, bias = _solver(problem, read, rows[own]).solved(options.penalties)
        for place, number in enumerate(own):
            cross = read.cross(place, folds[number][1])
            answers[number] = np.asarray(cross @ found[place] + bias[place])
    return answers


def _chosen(
    problem: Problem, grams: Grams, rows: IntArray, options: LayeredProbeOptions
) -> list[Source]:
    """For each of F problems what has the least leave-one-out loss."""
    losses = []
    for source in grams.sources:
        batch = _solver(problem, grams.of_rows(source, rows), rows)
        batch.best_penalty(options.penalties)
        losses.append(batch.left_out)
    return [grams.sources[place] for place in np.argmin(np.stack(losses), axis=0)]


def _solver(problem: Problem, read: SideBySide, rows: IntArray) -> GramBatch:
    targets = problem.examples.targets
    assert targets is not None
    head = problem.head
    y = targets[:, None] if head.valued else one_hot(targets, head.outputs)
    weights = row_weights(problem)[rows]
    return GramBatch(read.gram, y[rows], weights, head.multi_label, head.valued, problem.together)


METHOD = LayeredProbe()
