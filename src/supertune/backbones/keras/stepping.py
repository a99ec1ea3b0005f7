"""Steps of gradient descent in Keras: AdamW, clipped gradients, a linear head on the vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from supertune.backbones.keras.blocks import pooled
from supertune.contracts import Encoding, FloatArray, HeadSpec, Pace, StepRows

if TYPE_CHECKING:
    from supertune.backbones.keras.tuning import TunedBlocks

HEAD = ("head.weight", "head.bias")


class KerasSteps:
    """See `supertune.contracts.Steps`. Graphs and optimizers are those of the run before, where it
    tuned the same; what optimizers remember is cleared."""

    def __init__(
        self,
        tunable: TunedBlocks,
        head: HeadSpec,
        start: tuple[FloatArray, FloatArray],
        encoding: Encoding,
        pace: Pace,
    ) -> None:
        self.tunable = tunable
        offer = tunable.backbone.offer
        how = encoding.pooling or offer.pooling
        shape = start[0].shape
        key = (shape, head.valued, head.multi_label, how, repr(pace))
        top = tunable.top
        if key not in top.steps:
            top.steps.clear()
            top.steps[key] = _Graph(tunable, head, shape, (how, offer.normalize), pace)
        self._graph: _Graph = top.steps[key]
        self._graph.begin(start)

    def take(self, rows: StepRows, factor: float) -> tuple[float, float]:
        graph = self._graph
        graph.set_rates(factor)
        loss, norm = graph.step(graph.given(rows))
        return float(loss), float(norm)

    def loss(self, rows: StepRows) -> float:
        return float(self._graph.loss(self._graph.given(rows)))

    def numbers(self) -> dict[str, npt.NDArray[Any]]:
        held = zip(HEAD, self._graph.head, strict=True)
        return self.tunable.state() | {name: variable.numpy() for name, variable in held}

    def put(self, numbers: Mapping[str, npt.NDArray[Any]]) -> None:
        self.tunable.top.put(numbers)
        for name, variable in zip(HEAD, self._graph.head, strict=True):
            variable.assign(numbers[name])


class _Graph:
    """What is compiled once for all runs that tune the same."""

    def __init__(
        self,
        tunable: TunedBlocks,
        head: HeadSpec,
        shape: tuple[int, ...],
        reading: tuple[str, bool],
        pace: Pace,
    ) -> None:
        import keras

        self.top, self.spec, self.pace, self.reading = tunable.top, head, pace, reading
        self.head = [
            keras.Variable(np.zeros(size, np.float32), name=name.replace(".", "_"))
            for size, name in ((shape, HEAD[0]), (shape[1:], HEAD[1]))
        ]
        places = self.top.places
        by_rate: dict[tuple[float, float], list[Any]] = {}
        for name, rate in pace.rates.items():
            by_rate.setdefault((rate, pace.weight_decay), []).append(places[name].variable)
        by_rate.setdefault((pace.head_rate, 0.0), []).extend(self.head)
        self.groups = [(rate, found) for (rate, _), found in by_rate.items()]
        self.optimizers = []
        for rate, decay in by_rate:
            # Of torch's AdamW; Keras's own epsilon is ten times as large.
            made = keras.optimizers.AdamW(rate, weight_decay=decay, epsilon=1e-8)
            made.build(by_rate[rate, decay])
            self.optimizers.append(made)
        parts = tunable.backbone.parts
        self.loss = parts.compiled(self._loss)
        self.step = parts.compiled(self._step)

    def begin(self, start: tuple[FloatArray, FloatArray]) -> None:
        for variable, values in zip(self.head, start, strict=True):
            variable.assign(np.asarray(values, np.float32))
        for optimizer in self.optimizers:
            for variable in optimizer.variables:
                variable.assign(np.zeros(variable.shape, variable.dtype))

    def set_rates(self, factor: float) -> None:
        for optimizer, (rate, _) in zip(self.optimizers, self.groups, strict=True):
            optimizer.learning_rate.assign(rate * factor)

    def given(self, rows: StepRows) -> dict[str, Any]:
        parts = self.top.backbone.parts
        kind = "float32" if self.spec.valued or rows.targets.ndim == 2 else "int32"
        return {
            "blocks": self.top.given(rows.hidden, rows.batch),
            "mask": parts.tensor(rows.batch["attention_mask"]),
            "owners": parts.tensor(rows.owners, "int32"),
            "targets": parts.tensor(rows.targets, kind),
            "weights": parts.tensor(rows.weights),
        }

    def _loss(self, given: Mapping[str, Any]) -> Any:
        import tensorflow as tf

        states = self.top.model(given["blocks"], training=False)
        vectors = pooled(states, given["mask"], *self.reading)
        rows = tf.shape(given["weights"])[0]
        summed = tf.math.unsorted_segment_mean(vectors, given["owners"], rows)
        weight, bias = self.head
        logits = tf.matmul(summed, weight.value) + bias.value
        each = _each(logits, given["targets"], self.spec, self.pace.smoothing)
        return tf.reduce_sum(each * given["weights"])

    def _step(self, given: Mapping[str, Any]) -> Any:
        import tensorflow as tf

        flat = [one for _, found in self.groups for one in found]
        tensors = [variable.value for variable in flat]
        with tf.GradientTape() as tape:
            loss = self._loss(given)
        gradients = [
            tf.convert_to_tensor(one) if one is not None else tf.zeros_like(of)
            for one, of in zip(tape.gradient(loss, tensors), tensors, strict=True)
        ]
        norm = tf.linalg.global_norm(gradients)
        share = tf.minimum(1.0, self.pace.clip / (norm + 1e-6))
        clipped = iter([one * share for one in gradients])
        for optimizer, (_, found) in zip(self.optimizers, self.groups, strict=True):
            optimizer.apply([next(clipped) for _ in found], found)
        return loss, norm


def _each(logits: Any, targets: Any, head: HeadSpec, smoothing: float) -> Any:
    """Loss of each row (rows,)."""
    import tensorflow as tf

    if head.valued:
        return (logits[:, 0] - targets) ** 2
    if head.multi_label:
        wanted = targets * (1 - smoothing) + smoothing / 2
        found = tf.nn.sigmoid_cross_entropy_with_logits(labels=wanted, logits=logits)
        return tf.reduce_sum(found, axis=1)
    known = tf.one_hot(targets, head.outputs) * (1 - smoothing) + smoothing / head.outputs
    return tf.nn.softmax_cross_entropy_with_logits(labels=known, logits=logits)
