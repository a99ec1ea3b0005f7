"""A linear head on several layers of a frozen encoder at once, in closed form.

Few rows of a task unlike that of the pretraining are often told apart better by inner layers, or
by layers together, than by the last one (Evci et al. 2022, arXiv:2201.03529). Vectors of a layer
are centred and brought to a mean squared length of one, so that no layer counts for its size; a
ridge head on layers side by side is then one on the sum of their Gram matrices. Which of a few
sets of layers is read is chosen like the penalty, by exact leave-one-out on the rows learned from,
so an outer fold takes no part in it. All folds are solved as one batch of small matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supertune.contracts import (
    FloatArray,
    HeadSpec,
    Input,
    IntArray,
    Lens,
    Options,
    Part,
    Problem,
    State,
)
from supertune.errors import InputError
from supertune.limits import Splitting, check, room
from supertune.methods.linear_probe import (
    Head,
    LinearProbeOptions,
    RidgeBatch,
    one_hot,
    row_weights,
)

MOST = 4000  # rows: a matrix of all pairs of them is held
COPIES = 6  # of the matrices of all folds, that solving them together holds at once
Layers = tuple[int, ...]


def layer_sets(depth: int) -> tuple[Layers, ...]:
    """Sets of layers to choose among: the last, the upper quarter, the upper half, and three that
    lie apart. A layer counts the blocks that were run."""
    apart = (depth - round(depth * 5 / 16), depth - round(depth * 3 / 16), depth)
    sets = (
        (depth,),
        tuple(range(depth + 1 - max(1, round(depth / 4)), depth + 1)),
        tuple(range(depth // 2 + 1, depth + 1)),
        tuple(dict.fromkeys(apart)),
    )
    return tuple(dict.fromkeys(sets))


@dataclass(frozen=True, eq=False)
class LayeredHead:
    """logits = vectors of ``layers`` side by side @ weight + bias."""

    head: Head
    layers: Layers

    @property
    def tuned_parameters(self) -> int:
        return self.head.tuned_parameters

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        columns = _columns(lens.parts, self.layers)
        return self.head.apply(lens.readings(inputs, prediction=True)[:, columns])

    def state(self) -> State:
        return State(self.head.arrays(), {"layers": list(self.layers)})


class LayeredProbe:
    """See `supertune.contracts.FoldSolver`."""

    name = "layered_probe"
    summary = "A linear head on several frozen layers at once; which ones, by leave-one-out"
    reference = "after Evci et al. 2022 (Head2Toe), arXiv:2201.03529; ridge as linear_probe"
    needs = frozenset({"features", "layers"})
    objectives = frozenset({"classify", "regress"})
    simplicity = 22
    calibrates = True
    options: type[Options] = LinearProbeOptions

    def fit(self, problem: Problem, options: LinearProbeOptions) -> LayeredHead:
        grams = _Grams.of(problem)
        everything = np.arange(len(problem.examples))[None]
        layers = _chosen(problem, grams, everything, options)[0]
        view = grams.view(layers, everything)
        coefficients, bias = _solver(problem, view, everything).solved(options.penalties)
        return LayeredHead(grams.head(layers, view, coefficients[0], bias[0]), layers)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> LayeredHead:
        return LayeredHead(Head.from_arrays(state.arrays), tuple(state.settings["layers"]))

    def out_of_fold(
        self,
        problem: Problem,
        options: LinearProbeOptions,
        folds: Sequence[tuple[IntArray, IntArray]],
    ) -> list[FloatArray]:
        grams = _Grams.of(problem)
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


def _answers(
    problem: Problem,
    grams: _Grams,
    folds: Sequence[tuple[IntArray, IntArray]],
    options: LinearProbeOptions,
) -> list[FloatArray]:
    """Logits of each fold's test rows; the folds learn from equally many rows."""
    rows = np.stack([train for train, _ in folds])
    answers: list[FloatArray] = [np.empty(0)] * len(folds)
    chosen = _chosen(problem, grams, rows, options)
    for layers in grams.sets:
        own = [number for number, each in enumerate(chosen) if each == layers]
        if not own:
            continue
        view = grams.view(layers, rows[own])
        found, bias = _solver(problem, view, rows[own]).solved(options.penalties)
        for place, number in enumerate(own):
            cross = view.cross(place, folds[number][1])
            answers[number] = np.asarray(cross @ found[place] + bias[place])
    return answers


def _chosen(
    problem: Problem, grams: _Grams, rows: IntArray, options: LinearProbeOptions
) -> list[Layers]:
    """For each of F problems the set of the least leave-one-out loss."""
    losses = []
    for layers in grams.sets:
        batch = _solver(problem, grams.view(layers, rows), rows)
        batch.best_penalty(options.penalties)
        losses.append(batch.left_out)
    return [grams.sets[place] for place in np.argmin(np.stack(losses), axis=0)]


def _solver(problem: Problem, view: _View, rows: IntArray) -> GramBatch:
    targets = problem.examples.targets
    assert targets is not None
    head = problem.head
    y = targets[:, None] if head.valued else one_hot(targets, head.outputs)
    weights = row_weights(problem)[rows]
    return GramBatch(view.gram, y[rows], weights, head.multi_label, head.valued)


class GramBatch(RidgeBatch):
    """Ridge problems of which the Gram matrices (F, n, n) of centred rows are known."""

    def __init__(
        self,
        gram: FloatArray,
        targets: FloatArray,
        weights: FloatArray,
        multi_label: bool,
        valued: bool,
    ) -> None:
        self.multi_label, self.valued = multi_label, valued
        self.targets = targets.astype(np.float64)
        self.share = weights / weights.sum(axis=1, keepdims=True)
        self.root = np.sqrt(weights)[..., None]
        self.mean_y = np.einsum("fn,fnc->fc", self.share, self.targets)[:, None]
        self.residual_y = (self.targets - self.mean_y) * self.root
        self.decompose(gram * self.root * np.swapaxes(self.root, 1, 2))

    def best_penalty(self, penalties: Sequence[float]) -> None:
        """Afterwards ``left_out`` (F,) is the leave-one-out loss at each problem's penalty."""
        self._chosen(penalties)

    def solved(self, penalties: Sequence[float]) -> tuple[FloatArray, FloatArray]:
        """(F, n, C) what each row counts in the answers, temperature included, and (F, C)."""
        penalty, heat = self._chosen(penalties)
        found = self.root * (self.left @ self.shrunken(penalty)) * heat
        bias = self.mean_y - (0.5 if self.multi_label else 0.0)
        return found, (bias * heat)[:, 0]


@dataclass(frozen=True, eq=False)
class _Layer:
    """One layer of F problems: scale and means by which its Gram matrix (n, n) is centred."""

    whole: FloatArray
    rows: IntArray
    share: FloatArray
    along: FloatArray  # (F, t) of each row with the mean
    squared: FloatArray  # (F,) length of the mean
    scale: FloatArray  # (F,) mean squared length of the centred rows


@dataclass(frozen=True, eq=False)
class _View:
    """Several layers of F problems side by side; ``gram`` (F, t, t) of centred, scaled rows."""

    layers: tuple[_Layer, ...]
    gram: FloatArray

    def cross(self, problem: int, asked: IntArray) -> FloatArray:
        """(m, t) inner products of other rows with those of one problem."""
        total = 0.0
        for one in self.layers:
            found = one.whole[np.ix_(asked, one.rows[problem])]
            found = found - (found @ one.share[problem])[:, None] - one.along[problem]
            total = total + (found + one.squared[problem]) / one.scale[problem]
        return np.asarray(total)


class _Grams:
    """The Gram matrix of each layer that may be read, over all rows of a problem."""

    def __init__(
        self, readings: FloatArray, parts: Sequence[Part], weights: FloatArray, depth: int
    ) -> None:
        self.readings, self.parts, self.weights = readings, parts, weights
        self.sets = layer_sets(depth)
        self._matrices: dict[int, FloatArray] = {}

    @classmethod
    def of(cls, problem: Problem) -> _Grams:
        """Of a problem's rows.

        Raises:
            InputError: ``too_many_rows``.
        """
        count, lens = len(problem.examples), problem.lens
        assert lens is not None
        if count > MOST:
            raise InputError(
                "too_many_rows",
                "layered_probe compares every row with every other.",
                received=f"{count} rows",
                allowed=f"{MOST} rows",
                next="Use linear_probe; --set layer=N reads another layer.",
            )
        readings = lens.readings(problem.examples.inputs)
        return cls(readings, lens.parts, row_weights(problem), lens.backbone.offer.depth)

    def matrix(self, layer: int) -> FloatArray:
        if layer not in self._matrices:
            x = self.readings[:, _columns(self.parts, (layer,))].astype(np.float64)
            self._matrices[layer] = x @ x.T
        return self._matrices[layer]

    def view(self, layers: Layers, rows: IntArray) -> _View:
        """Layers side by side for problems of ``rows`` (F, t)."""
        share = self.weights[rows]
        share = share / share.sum(axis=1, keepdims=True)
        found, total = [], np.zeros(())
        for layer in layers:
            one, gram = _centred(self.matrix(layer), rows, share)
            found.append(one)
            total = total + gram
        return _View(tuple(found), np.asarray(total))

    def head(self, layers: Layers, view: _View, found: FloatArray, bias: FloatArray) -> Head:
        """The linear head that answers as coefficients (t, C) of the first problem do."""
        weights, offset = [], bias
        for layer, one in zip(layers, view.layers, strict=True):
            x = self.readings[one.rows[0]][:, _columns(self.parts, (layer,))].astype(np.float64)
            mean = one.share[0] @ x
            weight = (x - mean).T @ found / one.scale[0]
            weights.append(weight)
            offset = offset - mean @ weight
        return Head(np.concatenate(weights).astype(np.float32), offset.astype(np.float32))


def _centred(whole: FloatArray, rows: IntArray, share: FloatArray) -> tuple[_Layer, FloatArray]:
    gram = whole[rows[:, :, None], rows[:, None, :]]
    along = np.einsum("fij,fj->fi", gram, share)
    squared = np.einsum("fi,fi->f", along, share)
    gram = gram - along[:, :, None] - along[:, None, :] + squared[:, None, None]
    lengths = np.einsum("fii,fi->f", gram, share)
    scale = np.maximum(lengths, 1e-12 * (1.0 + squared))
    return _Layer(whole, rows, share, along, squared, scale), gram / scale[:, None, None]


def _columns(parts: Sequence[Part], layers: Layers) -> IntArray:
    """Columns of all layers' vectors that belong to these, in their order."""
    spans = [
        np.arange(part.start, part.end) for layer in layers for part in parts if part.layer == layer
    ]
    return np.concatenate(spans)


METHOD = LayeredProbe()
