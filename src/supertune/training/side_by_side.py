"""Answers of several tuned models over one frozen backbone, which is run once for all of them.

Heads and closed forms read the same features, so these are computed once for every distinct input
(`Prefetched`). Models with tuned numbers inside the backbone go through it in one batch where the
engine can hold them at once (`logits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from supertune.contracts import Backbone, Encoding, FloatArray, Input, Joining, Lens, Part
from supertune.training.loop import TunedBackbone


@dataclass(eq=False)
class Prefetched:
    """A `Lens` whose features of the known ``inputs`` are computed together, when the first of
    them is asked for."""

    lens: Lens
    inputs: Sequence[Input]
    backbone: Backbone = field(init=False)
    encoding: Encoding = field(init=False)
    _rows: dict[Input, int] = field(init=False)
    _features: FloatArray | None = field(default=None, init=False)
    _others: dict[Encoding, Lens] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.backbone, self.encoding = self.lens.backbone, self.lens.encoding
        self._rows = {given: row for row, given in enumerate(dict.fromkeys(self.inputs))}

    def under(self, encoding: Encoding) -> Lens:
        if encoding == self.encoding:
            return self
        if encoding not in self._others:
            self._others[encoding] = Prefetched(self.lens.under(encoding), self.inputs)
        return self._others[encoding]

    def features(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        if not (prediction and inputs and all(given in self._rows for given in inputs)):
            return self.lens.features(inputs, prediction=prediction)
        if self._features is None:
            self._features = self.lens.features(list(self._rows), prediction=True)
        return self._features[[self._rows[given] for given in inputs]]

    def scores(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        return self.lens.scores(inputs, prediction=prediction)

    def names(self, texts: Sequence[str]) -> FloatArray:
        return self.lens.names(texts)

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.lens.parts

    def readings(self, inputs: Sequence[Input], *, prediction: bool = False) -> FloatArray:
        return self.lens.readings(inputs, prediction=prediction)

    def read_through(self, inputs: Sequence[Input], cut: int) -> None:
        self.lens.read_through(inputs, cut)

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        return self.lens.activations(pieces, cut, dropout=dropout, draw=draw)


def kind(tuned: TunedBackbone, lens: Lens) -> tuple[Any, ...] | None:
    """Models of one kind can be asked together; None: it has to be asked alone."""
    name = tuned.tunable.joins
    if name is None or not isinstance(lens.backbone, Joining):
        return None
    return name, id(lens.backbone), tuned.encoding(lens)


def logits(
    models: Sequence[TunedBackbone], inputs: Sequence[Input], which: Sequence[int], lens: Lens
) -> list[FloatArray]:
    """For each of the ``models``, all of one `kind`, (its inputs, C) logits, inputs in order.

    Args:
        which: (n,) the model that each of the n inputs goes to.
    """
    backbone = lens.backbone
    encoding = models[0].encoding(lens)
    with cast(Joining, backbone).join([model.tunable for model in models]) as joined:
        tokens = backbone.tokens(inputs, encoding)
        values = joined.vectors(tokens, which, encoding, words=encoding.prompt is not None)
    own = np.asarray(which)
    return [model.readout.apply(values[own == number]) for number, model in enumerate(models)]
