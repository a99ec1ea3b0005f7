"""Labels for unlabelled rows, three ways, and a linear head that learns from all of them.

Each teacher sees few labelled rows and m unlabelled ones: the plain head by itself; a mixture of
von Mises-Fisher distributions of one width, one a class, in which the labelled rows keep their
class (Nigam et al. 2000; Banerjee et al. 2005); labels that spread over a graph of nearest
neighbours (Zhou et al. 2004), brought to equal mass a class (Zhu et al. 2003). Both of the latter
are stopped early: run to the end they answer with clusters, whatever those have to do with
the labels. The student is a ridge regression on the mean of their probabilities over the
unlabelled rows (knowledge distillation, Hinton et al. 2015), so what is kept is one linear head.

All folds are solved as one. Shapes: F problems, n labelled rows, m unlabelled ones, d features,
C classes; probabilities of unlabelled rows are (m, F, C), so that each step is one product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune.contracts import FloatArray
from supertune.methods._unit import unit
from supertune.methods.linear_probe import Head

ABSENT = -1e3  # log share of a class without labelled rows
BLOCK = 1024  # rows whose similarities are computed at once
SHARPNESS = 4  # power of a cosine that is the weight of an edge


@dataclass(frozen=True)
class Settings:
    """neighbours: edges from a row; spreading: share of a row's mass that comes from
    neighbours; concentration: of a class around its direction; penalty: of the student, in
    units of the mean squared length of a centred row."""

    neighbours: int = 10
    spreading: float = 0.5
    rounds: int = 12
    concentration: float = 20.0
    steps: int = 1
    penalty: float = 0.01


@dataclass(frozen=True, eq=False)
class LabelPool:
    """Unlabelled rows, with all that does not depend on labels.

    features (m, d); centre (d,); directions (m, d), centred and of length 1; graph (m, m) sparse,
    symmetrically normalised; degree (m,); student (d, m), which makes a head of probabilities.
    """

    features: FloatArray
    centre: FloatArray
    directions: FloatArray
    graph: Any
    degree: FloatArray
    student: FloatArray
    settings: Settings

    @classmethod
    def of(cls, features: FloatArray, settings: Settings) -> LabelPool:
        from scipy import sparse

        centre = features.mean(axis=0, dtype=np.float64)
        centred = features - centre
        directions = unit(centred)
        edges = _nearest(directions, directions, settings.neighbours, own=False)
        edges = edges.maximum(edges.T)
        degree = np.asarray(edges.sum(axis=1), dtype=np.float64).ravel() + 1e-12
        root = sparse.diags_array(degree**-0.5)
        spread = centred.T @ centred / len(centred)
        ridge = settings.penalty * max(float(np.trace(spread)), 1e-12) * np.eye(len(spread))
        student = np.linalg.solve(spread + ridge, centred.T / len(centred))
        return cls(
            features.astype(np.float32),
            centre,
            directions,
            (root @ edges @ root).tocsr().astype(np.float32),
            degree,
            student.astype(np.float32),
            settings,
        )

    def __len__(self) -> int:
        return len(self.features)

    def taught(
        self, features: FloatArray, targets: FloatArray, weights: FloatArray, heads: Sequence[Head]
    ) -> tuple[FloatArray, float]:
        """(m, F, C) the mean of the three teachers' probabilities; and for the first problem, how
        far what mixture and graph teach agrees.

        Args:
            features: (n, d) of the labelled rows.
            targets: (n, C) zeros and ones.
            weights: (F, n), zero for rows that a problem does not see.
            heads: the plain head of each problem.
        """
        own = unit(features - self.centre)
        mass = (weights[..., None] * targets).astype(np.float32)  # (F, n, C)
        there = mass.sum(axis=1) > 0  # (F, C)
        mixed, spread = self._mixture(own, mass, there), self._spread(own, mass)
        agreement = self._agreement(mixed[:, :1], spread[:, :1])
        return np.asarray((self._plain(heads) + mixed + spread) / 3), agreement

    def _agreement(self, *taught: FloatArray) -> float:
        """Of two students' answers to the unlabelled rows, beyond chance (Cohen 1960): 1 where
        they are the same. Both teachers hold that near rows are alike, and work it out differently,
        so that they disagree where the classes are no clusters. No label is needed for it."""
        one, other = (
            self.heads(chances)[0].apply(self.features).argmax(axis=1) for chances in taught
        )
        classes = taught[0].shape[2]
        counts = [np.bincount(each, minlength=classes) / len(self) for each in (one, other)]
        chance = float(counts[0] @ counts[1])
        same = float((one == other).mean())
        return 1.0 if chance == 1.0 else (same - chance) / (1.0 - chance)

    def heads(self, chances: FloatArray) -> list[Head]:
        """The student of each problem, from (m, F, C); its scores are probabilities, unbounded."""
        m, problems, classes = chances.shape
        weight = (self.student @ chances.reshape(m, -1)).reshape(-1, problems, classes)
        offset = np.tensordot(self.centre.astype(np.float32), weight, axes=1)
        bias = chances.mean(axis=0) - offset
        return [Head(weight[:, i].copy(), bias[i].copy()) for i in range(problems)]

    def _plain(self, heads: Sequence[Head]) -> FloatArray:
        weight = np.stack([head.weight for head in heads], axis=1)  # (d, F, C)
        scores = self.features @ weight.reshape(len(weight), -1)
        shape = (len(self), *weight.shape[1:])
        return softmax(scores.reshape(shape) + np.stack([head.bias for head in heads]))

    def _mixture(self, own: FloatArray, mass: FloatArray, there: FloatArray) -> FloatArray:
        problems, n, classes = mass.shape
        labelled = np.moveaxis(mass, 1, 2).reshape(-1, n) @ own  # (F C, d)
        absent = np.where(there, 0.0, ABSENT).astype(np.float32)
        means = labelled
        for step in range(self.settings.steps + 1):
            scores = self.directions @ (self.settings.concentration * unit(means)).T
            chances = softmax(scores.reshape(len(self), problems, classes) + absent)
            if step < self.settings.steps:
                means = labelled + chances.reshape(len(self), -1).T @ self.directions
        return chances

    def _spread(self, own: FloatArray, mass: FloatArray) -> FloatArray:
        problems, n, classes = mass.shape
        near = _nearest(own, self.directions, self.settings.neighbours, own=True)
        near = near.multiply(self.degree**-0.5).T.tocsr().astype(np.float32)  # (m, n)
        start = np.asarray(near @ np.moveaxis(mass, 0, 1).reshape(n, -1))
        found = start
        for _ in range(self.settings.rounds):
            found = self.settings.spreading * (self.graph @ found) + start
        found = found.reshape(len(self), problems, classes)
        found = found / np.maximum(found.sum(axis=0), 1e-12)
        # A row that nothing reached is answered with the classes that there are.
        found = found + 1e-9 / len(self) * (mass.sum(axis=1) > 0)
        return np.asarray(found / found.sum(axis=2, keepdims=True))


def softmax(scores: FloatArray) -> FloatArray:
    """Over the last axis."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def _nearest(rows: FloatArray, others: FloatArray, count: int, *, own: bool) -> Any:
    """(n, m) sparse: edges from rows (n, d) to the nearest of others (m, d), all of length 1;
    without ``own`` the two are the same and none leads to itself."""
    from scipy import sparse

    count = min(count, len(others) - (0 if own else 1))
    places, values = [], []
    for start in range(0, len(rows), BLOCK):
        alike = rows[start : start + BLOCK] @ others.T
        if not own:
            alike[np.arange(len(alike)), np.arange(start, start + len(alike))] = -2.0
        best = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        places.append(best)
        values.append(np.take_along_axis(alike, best, axis=1))
    near = np.concatenate(places)
    weight = np.maximum(np.concatenate(values), 0.0).astype(np.float64) ** SHARPNESS
    at = np.repeat(np.arange(len(rows)), count)
    return sparse.csr_array((weight.ravel(), (at, near.ravel())), shape=(len(rows), len(others)))
