"""A loaded model in two parts: below a cut, and above it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from supertune.backbones.keras.graph import WORDS
from supertune.contracts import FloatArray

Batch = Mapping[str, Any]


class Parts:
    """Parts of one model, made when they are first asked for; they share its weights.

    Args:
        model: of Keras, called with its inputs by name.
        inputs: their types.
        entries: the layer whose output enters each block.
    """

    def __init__(
        self, tensorflow: Any, model: Any, inputs: Mapping[str, str], entries: tuple[str, ...]
    ) -> None:
        self.tensorflow, self.model, self.inputs, self.entries = tensorflow, model, inputs, entries
        self.beside = [name for name in inputs if name != WORDS]  # what blocks are given as well
        self._below: dict[int, Callable[..., Any]] = {}
        self._above: dict[int, Any] = {}

    def whole(self) -> Callable[[Batch], FloatArray]:
        """(rows, tokens, d) or (rows, d) of inputs."""
        called = self.compiled(lambda given: self.model(given, training=False))
        return lambda batch: _array(last(called(self.given(batch))))

    def below(self, cut: int, batch: Batch) -> Any:
        """(rows, tokens, d) what enters block ``cut``, as a tensor."""
        import keras

        if cut not in self._below:
            part = keras.Model(self.model.input, self._entering(cut))
            self._below[cut] = self.compiled(lambda given: part(given, training=False))
        return self._below[cut](self.given(batch))

    def above(self, cut: int) -> Any:
        """The model of what enters block ``cut`` and of the inputs ``beside``."""
        import keras

        if cut not in self._above:
            inputs = [self._entering(cut), *(self._input(name) for name in self.beside)]
            self._above[cut] = keras.Model(inputs, last(self.model.output))
        return self._above[cut]

    def given(self, batch: Batch) -> dict[str, Any]:
        """The inputs as tensors."""
        return {name: self.tensor(batch[name], kind) for name, kind in self.inputs.items()}

    def besides(self, batch: Batch) -> list[Any]:
        return [self.tensor(batch[name], self.inputs[name]) for name in self.beside]

    def tensor(self, array: Any, kind: str = "float32") -> Any:
        return self.tensorflow.constant(np.ascontiguousarray(array).astype(kind))

    def compiled(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """As one graph, traced once: rows and tokens or pixels may be as many as there are."""
        tf, made = self.tensorflow, list[Any]()

        def call(given: Any) -> Any:
            if not made:
                like = tf.nest.map_structure(self._any_number, given)
                made.append(tf.function(function, input_signature=[like], autograph=False))
            return made[0](given)

        return call

    def _any_number(self, tensor: Any) -> Any:
        shape = tensor.shape
        fixed = [shape[-1]] if len(shape) > 2 else []  # what a position is described by
        free = [None] * (len(shape) - len(fixed))
        return self.tensorflow.TensorSpec([*free, *fixed], tensor.dtype)

    def _entering(self, cut: int) -> Any:
        return self.model.get_layer(self.entries[cut]).output

    def _input(self, name: str) -> Any:
        given = self.model.input
        return given[name] if isinstance(given, Mapping) else self.model.get_layer(name).output


def last(answer: Any) -> Any:
    """Hidden states (rows, tokens, d), or vectors (rows, d), of whatever a model answers with."""
    if isinstance(answer, Mapping):
        return answer.get("last_hidden_state", next(iter(answer.values())))
    return answer[0] if isinstance(answer, list | tuple) else answer


def _array(tensor: Any) -> FloatArray:
    return np.asarray(tensor.numpy(), dtype=np.float32)
