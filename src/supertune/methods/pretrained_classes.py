"""A detector as it is: those of its classes that a label names. Nothing is tuned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from supertune.contracts import (
    Detecting,
    FloatArray,
    HeadSpec,
    Input,
    Lens,
    Options,
    Picture,
    Problem,
    State,
    View,
)
from supertune.contracts.detection import padded
from supertune.data.boxes import tiles
from supertune.data.boxes.naming import same_class


class PretrainedClassesOptions(Options):
    """Keys of ``pretrained_classes``: none."""


@dataclass(frozen=True, eq=False)
class Untuned:
    """``classes`` (C,): the detector's own class of each label, -1 where none has its name."""

    classes: tuple[int, ...]
    head: HeadSpec

    @property
    def tuned_parameters(self) -> int:
        return 0

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        assert lens is not None
        backbone = lens.backbone
        assert isinstance(backbone, Detecting)
        like = [None if one < 0 else one for one in self.classes]
        if all(one is None for one in like):
            return np.full((len(inputs), self.head.width), -1.0)
        said, depth, rows = backbone.detection_head(like), backbone.offer.depth, []
        for value in inputs:
            assert isinstance(value, Picture)
            side = backbone.side(lens.encoding)
            view = View(value, (0, 0, *backbone.size(value)), side)
            maps = backbone.maps(backbone.activations([view], depth), depth, side)
            found = view.back(said.boxes(maps, self.head.boxes)[0])
            found = tiles.inside(found, backbone.size(value))
            rows.append(found[np.isin(found[:, 5], np.flatnonzero(np.array(self.classes) >= 0))])
        return padded(rows, self.head.boxes).reshape(len(inputs), -1)

    def state(self) -> State:
        return State({"classes": np.array(self.classes)})


class PretrainedClasses:
    """See `supertune.contracts.Solver`."""

    name = "pretrained_classes"
    summary = "The detector as it is, its classes mapped to labels by name; nothing is tuned"
    reference = "Lin et al. 2014, arXiv:1405.0312"
    needs = frozenset({"detect"})
    objectives = frozenset({"detect"})
    simplicity = 3
    options: type[Options] = PretrainedClassesOptions

    def fit(self, problem: Problem, options: Any) -> Untuned:
        assert problem.lens is not None
        backbone = problem.lens.backbone
        assert isinstance(backbone, Detecting)
        named = [same_class(label, backbone.classes) for label in problem.examples.labels]
        return Untuned(tuple(-1 if one is None else one for one in named), problem.head)

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Untuned:
        return Untuned(tuple(int(one) for one in state.arrays["classes"]), head)


METHOD = PretrainedClasses()
