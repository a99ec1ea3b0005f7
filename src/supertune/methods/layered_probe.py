"""A linear head on several layers of a frozen encoder at once, in closed form.

Few rows of a task unlike that of the pretraining are often told apart better by inner layers, or
by layers together, than by the last one (Evci et al. 2022, arXiv:2201.03529). How many pixels a
side are read, if several are given, is chosen by exact leave-one-out on the rows learned from, and
the heads on a few sets of layers are averaged by it, so an outer fold takes no part in either: a
set counts by a power of its leave-one-out likelihood (after pseudo-BMA, Yao et al. 2018), since a
few rows say little about which is best. All folds are solved as one batch of small matrices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
POWER = 0.3  # of the likelihood; at 1 nearly one set alone counts, at 0 all alike
LEAST = 0.02  # what counts less is left out


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
    """logits = vectors of ``layers`` side by side @ weight + bias, the mean of several heads.

    ``resolution`` is the number of pixels a side that was chosen, None where there was nothing to
    choose among.
    """

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
    summary = "A linear head on several frozen layers at once, weighed by leave-one-out"
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
        solved = _Solved(problem, grams, everything, options)
        heads = {
            source: (float(shares[0]), grams.head(source, everything, *solved.found[source]))
            for source, shares in solved.shares.items()
            if shares[0]
        }
        used = {layer for source in heads for layer in source.layers}
        layers = tuple(sorted(used, key=lambda one: columns(grams.parts, (one,))[0]))
        asked = lenses[solved.views[0]].encoding.resolution if options.resolutions else None
        return LayeredHead(_mean(heads, columns(grams.parts, layers), grams), layers, asked)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> LayeredHead:
        kept = state.settings
        own = Head.from_arrays(state.arrays)
        layers = tuple(one if isinstance(one, int) else (one[0], one[1]) for one in kept["layers"])
        return LayeredHead(own, layers, kept.get("resolution"))

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


def _mean(heads: Mapping[Source, tuple[float, Head]], read: IntArray, grams: Grams) -> Head:
    """The weighted mean of heads, each on columns of its own, as one on all that are ``read``."""
    outputs = next(head.bias for _, head in heads.values()).shape
    weight, bias = np.zeros((len(read), *outputs)), np.zeros(outputs)
    for source, (share, head) in heads.items():
        weight[np.searchsorted(read, columns(grams.parts, source.layers))] += share * head.weight
        bias += share * head.bias
    return Head(weight.astype(np.float32), bias.astype(np.float32))


def _answers(
    problem: Problem,
    grams: Grams,
    folds: Sequence[tuple[IntArray, IntArray]],
    options: LayeredProbeOptions,
) -> list[FloatArray]:
    """Logits of each fold's test rows; the folds learn from equally many rows."""
    rows = np.stack([train for train, _ in folds])
    solved = _Solved(problem, grams, rows, options)
    outputs = problem.head.outputs
    answers: list[FloatArray] = [np.zeros((len(test), outputs)) for _, test in folds]
    for source, shares in solved.shares.items():
        own = [number for number, share in enumerate(shares) if share]
        if not own:
            continue
        read, (found, bias) = grams.of_rows(source, rows[own]), solved.found[source]
        for place, number in enumerate(own):
            logits = read.cross(place, folds[number][1]) @ found[number] + bias[number]
            answers[number] += shares[number] * logits
    return answers


class _Solved:
    """F problems of ``rows`` (F, t), solved from every source, and what each source counts.

    Attributes:
        found: by source the coefficients (F, t, C) and biases (F, C).
        shares: by source (F,) what it counts, 0 where it is another view than the one chosen.
    """

    def __init__(
        self, problem: Problem, grams: Grams, rows: IntArray, options: LayeredProbeOptions
    ) -> None:
        losses = []
        self.found: dict[Source, tuple[FloatArray, FloatArray]] = {}
        for source in grams.sources:
            batch = _solver(problem, grams.of_rows(source, rows), rows)
            self.found[source] = batch.solved(options.penalties)
            losses.append(batch.left_out)
        loss = np.stack(losses)
        if problem.head.valued:  # of errors that are normally distributed
            loss = np.log(np.maximum(loss, 1e-300)) / 2
        views = np.array([source.view for source in grams.sources])
        self.views = views[loss.argmin(axis=0)]
        judged = rows.shape[1] // problem.together
        counts = np.exp(-POWER * judged * (loss - loss.min(axis=0)))
        counts = counts * (views[:, None] == self.views)
        counts = counts * (counts >= LEAST * counts.sum(axis=0))
        counts = counts / counts.sum(axis=0)
        self.shares = dict(zip(grams.sources, counts, strict=True))


def _solver(problem: Problem, read: SideBySide, rows: IntArray) -> GramBatch:
    targets = problem.examples.targets
    assert targets is not None
    head = problem.head
    y = targets[:, None] if head.valued else one_hot(targets, head.outputs)
    weights = row_weights(problem)[rows]
    return GramBatch(read.gram, y[rows], weights, head.multi_label, head.valued, problem.together)


METHOD = LayeredProbe()
