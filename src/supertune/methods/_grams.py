"""Inner products of rows as several layers and views of a backbone show them.

Vectors of a layer are centred and brought to a mean squared length of one, so that no layer counts
for its size; a ridge head on layers side by side is then one on the sum of their Gram matrices.
A *view* is a way to read the inputs, such as another number of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supertune.contracts import FloatArray, IntArray, Lens, Part, Problem
from supertune.errors import InputError
from supertune.methods.linear_probe import Head, RidgeBatch, row_weights

MOST = 4000  # rows: a matrix of all pairs of them is held
Layer = int | tuple[int, str]  # its number; or with it one of the ways it is pooled in
Layers = tuple[Layer, ...]


@dataclass(frozen=True)
class Source:
    """What is read: a view by its number, and layers of it."""

    view: int
    layers: Layers


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


def sets_of(parts: Sequence[Part]) -> tuple[Layers, ...]:
    """Sets of what is read to choose among: those of `layer_sets`; where layers are read by their
    largest numbers too, which are of another scale, each way of reading counts by itself."""
    depth = parts[-1].layer
    if not any(part.pooling == "max" for part in parts):
        return layer_sets(depth)
    last = [(part.layer, part.pooling) for part in parts if part.layer == depth]
    low = max(1, round(depth / 3))
    lower = tuple((part.layer, part.pooling) for part in parts if part.layer <= low)
    largest = tuple((part.layer, part.pooling) for part in parts if part.pooling == "max")
    every = tuple((part.layer, part.pooling) for part in parts)
    alone: list[Layers] = [(one,) for one in last]
    sets = [*alone, tuple(last), ((low, "max"),), lower, largest, every]
    return tuple(dict.fromkeys(sets))


class GramBatch(RidgeBatch):
    """Ridge problems of which the Gram matrices (F, n, n) of centred rows are known."""

    def __init__(
        self,
        gram: FloatArray,
        targets: FloatArray,
        weights: FloatArray,
        multi_label: bool,
        valued: bool,
        together: int = 1,
    ) -> None:
        self.together = together
        self.multi_label, self.valued = multi_label, valued
        self.targets = targets.astype(np.float64)
        self.share = weights / weights.sum(axis=1, keepdims=True)
        self.root = np.sqrt(weights)[..., None]
        self.mean_y = np.einsum("fn,fnc->fc", self.share, self.targets)[:, None]
        self.residual_y = (self.targets - self.mean_y) * self.root
        self.decompose(gram * self.root * np.swapaxes(self.root, 1, 2))

    def solved(self, penalties: Sequence[float]) -> tuple[FloatArray, FloatArray]:
        """(F, n, C) what each row counts in the answers, temperature included, and (F, C);
        ``left_out`` (F,) is then the leave-one-out loss at each problem's penalty."""
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
class SideBySide:
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


class Grams:
    """The Gram matrix of each layer of each view that may be read, over all rows of a problem."""

    def __init__(
        self, readings: Sequence[FloatArray], parts: Sequence[Part], weights: FloatArray
    ) -> None:
        self.readings, self.parts, self.weights = readings, parts, weights
        views = range(len(readings))
        self.sources = tuple(Source(view, own) for view in views for own in sets_of(parts))
        self._matrices: dict[tuple[int, Layer], FloatArray] = {}

    @classmethod
    def of(cls, problem: Problem, views: Sequence[Lens]) -> Grams:
        """Of a problem's rows.

        Raises:
            InputError: ``too_many_rows``.
        """
        count = len(problem.examples)
        if count > MOST:
            raise InputError(
                "too_many_rows",
                "layered_probe compares every row with every other.",
                received=f"{count} rows",
                allowed=f"{MOST} rows",
                next="Use linear_probe; --set layer=N reads another layer.",
            )
        readings = [lens.readings(problem.examples.inputs) for lens in views]
        return cls(readings, views[0].parts, row_weights(problem))

    def matrix(self, view: int, layer: Layer) -> FloatArray:
        """(n, n)."""
        if (view, layer) not in self._matrices:
            x = self.readings[view][:, columns(self.parts, (layer,))].astype(np.float64)
            self._matrices[view, layer] = x @ x.T
        return self._matrices[view, layer]

    def of_rows(self, source: Source, rows: IntArray) -> SideBySide:
        """A source's layers side by side for problems of ``rows`` (F, t)."""
        share = self.weights[rows]
        share = share / share.sum(axis=1, keepdims=True)
        found, total = [], np.zeros(())
        for layer in source.layers:
            one, gram = _centred(self.matrix(source.view, layer), rows, share)
            found.append(one)
            total = total + gram
        return SideBySide(tuple(found), np.asarray(total))

    def head(self, source: Source, rows: IntArray, found: FloatArray, bias: FloatArray) -> Head:
        """The linear head that answers as coefficients (1, t, C) and biases (1, C) of the one
        problem of ``rows`` (1, t) do."""
        read, found = self.of_rows(source, rows), found[0]
        weights, offset = [], bias[0]
        for layer, one in zip(source.layers, read.layers, strict=True):
            x = self.readings[source.view][one.rows[0]][:, columns(self.parts, (layer,))]
            mean = one.share[0] @ x.astype(np.float64)
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


def columns(parts: Sequence[Part], layers: Layers) -> IntArray:
    """Columns of all layers' vectors that belong to these, in their order."""
    spans = [
        np.arange(part.start, part.end)
        for layer in layers
        for part in parts
        if layer in (part.layer, (part.layer, part.pooling))
    ]
    return np.concatenate(spans)
