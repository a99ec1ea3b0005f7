"""What every method that takes a backbone owes it: the weights stay, nothing is computed twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from supertune.contracts import Encoding, Lens


@dataclass(eq=False)
class Interrupted:
    """A lens whose user presses Ctrl-C once the frozen part has been computed."""

    lens: Lens

    @property
    def backbone(self) -> Any:
        return self.lens.backbone

    @property
    def encoding(self) -> Encoding:
        return self.lens.encoding

    def under(self, encoding: Encoding) -> Lens:
        return Interrupted(self.lens.under(encoding))

    def features(self, inputs: Sequence[Any], *, prediction: bool = False) -> Any:
        self.lens.features(inputs, prediction=prediction)
        raise KeyboardInterrupt

    def scores(self, inputs: Sequence[Any], *, prediction: bool = False) -> Any:
        self.lens.scores(inputs, prediction=prediction)
        raise KeyboardInterrupt

    def names(self, texts: Sequence[str]) -> Any:
        self.lens.names(texts)
        raise KeyboardInterrupt

    @property
    def parts(self) -> Any:
        return self.lens.parts

    def readings(self, inputs: Sequence[Any], *, prediction: bool = False) -> Any:
        self.lens.readings(inputs, prediction=prediction)
        raise KeyboardInterrupt

    def read_through(self, inputs: Sequence[Any], cut: int) -> None:
        self.lens.read_through(inputs, cut)
        raise KeyboardInterrupt

    def activations(self, pieces: Sequence[Any], cut: int) -> Any:
        self.lens.activations(pieces, cut)
        raise KeyboardInterrupt


def test_fitting_leaves_the_weights_as_they_were(on_backbone, same_weights):
    on_backbone.tuned()
    assert same_weights(on_backbone)


def test_answering_leaves_the_weights_as_they_were(on_backbone, same_weights):
    on_backbone.logits(on_backbone.examples.inputs)
    assert same_weights(on_backbone)


def test_restoring_leaves_the_weights_as_they_were(on_backbone, same_weights):
    on_backbone.restored(on_backbone.tuned().state())
    assert same_weights(on_backbone)


def test_a_fit_that_is_interrupted_leaves_the_weights_as_they_were(on_backbone, same_weights):
    with pytest.raises(KeyboardInterrupt):
        on_backbone.fit(on_backbone.examples, lens=Interrupted(on_backbone.lens))
    assert same_weights(on_backbone)


def test_answers_to_what_is_no_input_fail_and_leave_the_weights(on_backbone, same_weights):
    one = on_backbone.examples.inputs[0]
    with pytest.raises((TypeError, ValueError)):
        on_backbone.logits([one, 3.5])
    assert same_weights(on_backbone)
    on_backbone.logits([one])


def test_the_frozen_part_is_computed_once(on_backbone):
    on_backbone.tuned()
    before = on_backbone.lens.computed
    on_backbone.fit(on_backbone.examples)
    assert on_backbone.lens.computed == before


def test_the_frozen_features_are_the_same_after_another_method_was_fitted(on_backbone):
    lens, inputs = on_backbone.lens, on_backbone.examples.inputs[:4]
    tokens = lens.backbone.tokens(inputs, lens.encoding)
    before = lens.backbone.features(tokens, lens.encoding)
    on_backbone.fit(on_backbone.settings[on_backbone.spare])
    np.testing.assert_array_equal(lens.backbone.features(tokens, lens.encoding), before)
