"""Copies of a model's blocks with something in them to tune, by Keras's own means.

LoRA (Hu et al. 2021, arXiv:2106.09685) by `enable_lora`, which Dense and EinsumDense have;
bottleneck adapters (Houlsby et al. 2019, arXiv:1902.00751) as Dense layers between those of the
model; or the weights themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from supertune.backbones.keras.graph import Block
from supertune.contracts import Injection
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.keras.model import KerasBackbone

STD = 0.02  # of an adapter's down-projection at the start; its biases are zero
Start = Callable[[np.random.Generator, tuple[int, ...]], npt.NDArray[Any]]
Numbers = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Place:
    """A tuned variable; ``flipped``: torch has it on its side. ``start`` makes its first values in
    torch's shape, None: those that it was saved with."""

    variable: Any
    flipped: bool
    start: Start | None


class Top:
    """Blocks with places to tune, and what they compute.

    Args:
        cut: the lowest of them; None: the model is whole, and starts at the input.
    """

    def __init__(
        self, backbone: KerasBackbone, model: Any, places: dict[str, Place], cut: int | None
    ) -> None:
        self.backbone, self.model, self.places, self.cut = backbone, model, places, cut
        self._first = self.numbers()
        self._called = backbone.parts.compiled(lambda given: model(given, training=False))
        self.steps: dict[Any, Any] = {}  # see `KerasSteps`

    def start(self, seed: int) -> Numbers:
        """The numbers that tuning begins with."""
        rng = np.random.default_rng(seed)
        found = {}
        for name, first in self._first.items():
            begin = self.places[name].start
            found[name] = first if begin is None else begin(rng, first.shape).astype(np.float32)
        return found

    def numbers(self) -> Numbers:
        found = {}
        for name, place in self.places.items():
            values = np.array(place.variable.numpy(), dtype=np.float32)
            found[name] = np.ascontiguousarray(values.T if place.flipped else values)
        return found

    def put(self, numbers: Mapping[str, npt.NDArray[Any]]) -> None:
        for name, place in self.places.items():
            place.variable.assign(numbers[name].T if place.flipped else numbers[name])

    def given(self, hidden: Any | None, batch: Mapping[str, Any]) -> Any:
        parts = self.backbone.parts
        if self.cut is not None:
            hidden = parts.below(self.cut, batch) if hidden is None else parts.tensor(hidden)
        return parts.given(batch) if self.cut is None else [hidden, *parts.besides(batch)]

    def run(self, hidden: Any | None, batch: Mapping[str, Any]) -> Any:
        """(pieces, tokens, d) or (pieces, d), as a tensor; ``hidden`` enters, where it is kept."""
        return self._called(self.given(hidden, batch))

    def vectors(self, states: Any, batch: Mapping[str, Any], how: str, unit: bool) -> Any:
        """(pieces, d) of what was computed, that carry gradients."""
        return pooled(states, self.backbone.parts.tensor(batch["attention_mask"]), how, unit)


def pooled(states: Any, mask: Any, how: str, unit: bool) -> Any:
    """(pieces, d) of hidden states (pieces, tokens, d); a vector a piece stays as it is."""
    import tensorflow as tf

    if len(states.shape) == 3:
        weight = mask[:, :, None]
        mean = tf.reduce_sum(states * weight, axis=1) / tf.reduce_sum(weight, axis=1)
        first = states[:, 0]
        if how == "last":
            at = tf.cast(tf.reduce_sum(mask, axis=1) - 1, tf.int32)
            states = tf.gather(states, at, batch_dims=1)
        else:
            states = {"cls": first, "cls_mean": tf.concat([first, mean], axis=1)}.get(how, mean)
    if not unit:
        return states
    return states / tf.maximum(tf.norm(states, axis=1, keepdims=True), 1e-12)


def made(backbone: KerasBackbone, injection: Injection) -> Top:
    """The blocks from the cut on, with what ``injection`` puts there."""
    numbers = injection.blocks
    chosen = {i: backbone.saved.blocks[i] for i in numbers or range(len(backbone.saved.blocks))}
    whole = numbers is None
    source = backbone.parts.model if whole else backbone.parts.above(min(chosen))
    if injection.kind == "unfreeze":
        top = _copied(source)
        places = _weights(backbone, top, injection, None if whole else chosen)
    elif injection.kind == "LORA":
        top = _copied(source)
        places = _low_rank(backbone, top, injection, chosen)
    elif injection.kind == "adapter":
        top, places = _bottlenecks(backbone, source, injection, chosen)
    else:
        raise refused(backbone, f"{injection.kind} injections")
    for variable in top.variables:
        variable.trainable = any(variable is place.variable for place in places.values())
    return Top(backbone, top, places, None if whole else min(chosen))


def _copied(source: Any, call: Callable[..., Any] | None = None) -> Any:
    import keras

    made = keras.models.clone_model(source, call_function=call)
    for layer in source.layers:
        if layer.weights:
            made.get_layer(layer.name).set_weights(layer.get_weights())
    return made


def _weights(
    backbone: KerasBackbone, top: Any, injection: Injection, chosen: dict[int, Block] | None
) -> dict[str, Place]:
    """The weights themselves: all, only biases or only those of normalisation layers."""
    only = str(injection.settings.get("only", "all"))
    inside = {name: i for i, block in (chosen or {}).items() for name in block.layers}
    found: dict[str, Place] = {}
    for layer in top.layers:
        if chosen is not None and layer.name not in inside:
            continue
        norm = "Normalization" in type(layer).__name__
        for variable in layer.trainable_variables:
            last = variable.path.rpartition("/")[2]
            if only == "biases" and last not in ("bias", "beta"):
                continue
            if only == "norms" and not norm:
                continue
            name, flipped = named(layer, variable, inside.get(layer.name))
            found[name] = Place(variable, flipped, None)
    if not found:
        raise refused(backbone, f"{only} of blocks {sorted(chosen or ())}")
    return found


_IN_TORCH = {
    ("Dense", "kernel"): ("weight", True),
    ("LayerNormalization", "gamma"): ("weight", False),
    ("LayerNormalization", "beta"): ("bias", False),
    ("Embedding", "embeddings"): ("weight", False),
    ("Dense", "lora_kernel_a"): ("lora_A.weight", True),
    ("Dense", "lora_kernel_b"): ("lora_B.weight", True),
}


def named(layer: Any, variable: Any, block: int | None) -> tuple[str, bool]:
    """The name of a variable, and whether torch has it on its side. One that is in a block has the
    block's number in its name."""
    *inner, last = variable.path.split("/")
    inner = inner[inner.index(layer.name) + 1 :] if layer.name in inner else inner
    last, flipped = _IN_TORCH.get((type(layer).__name__, last), (last, False))
    front = layer.name
    if block is not None and str(block) not in front.split("."):
        front = f"blocks.{block}.{front}"
    return ".".join([front, *inner, last]), flipped


def _low_rank(
    backbone: KerasBackbone, top: Any, injection: Injection, chosen: dict[int, Block]
) -> dict[str, Place]:
    settings = injection.settings
    lacking = [key for key in ("lora_dropout", "use_dora") if settings.get(key)]
    if lacking:
        raise refused(backbone, ", ".join(f"{key} {settings[key]}" for key in lacking))
    rank, alpha = int(settings["r"]), float(settings["lora_alpha"])
    if settings.get("use_rslora"):
        alpha *= rank**0.5
    begins = _begins(backbone, settings.get("init_lora_weights", True), rank)
    found: dict[str, Place] = {}
    for i, block in chosen.items():
        for outer, layer in _targets(backbone, top, block, settings.get("target_modules")):
            layer.enable_lora(rank, lora_alpha=alpha)
            for variable in layer.weights:
                last = variable.path.rpartition("/")[2]
                if last not in ("lora_kernel_a", "lora_kernel_b"):
                    continue
                name, flipped = named(layer if outer is None else outer, variable, i)
                front = "base_model.model." if flipped else ""
                found[front + name] = Place(variable, flipped, begins[last[-1]])
    return found


def _begins(backbone: KerasBackbone, init: Any, rank: int) -> dict[str, Start]:
    """How LoRA's factors start, as they do in peft."""

    def uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        inputs = shape[1] if len(shape) == 2 else shape[0]  # of an EinsumDense (d, heads, rank)
        return np.asarray(rng.uniform(-1.0, 1.0, shape) / inputs**0.5)

    ways: dict[str, Start] = {
        "True": uniform,
        "gaussian": lambda rng, shape: rng.normal(0.0, 1.0 / rank, shape),
    }
    if str(init) not in ways:
        raise refused(backbone, f"init {init}")
    return {"a": ways[str(init)], "b": lambda _rng, shape: np.zeros(shape)}


def _targets(
    backbone: KerasBackbone, top: Any, block: Block, wanted: Sequence[str] | None
) -> list[tuple[Any | None, Any]]:
    """Layers that LoRA goes into, each with the one that it is inside of, if any: by the last part
    of their names; query and value where nothing is said."""
    able: dict[str, tuple[Any | None, Any]] = {}
    for name in block.layers:
        layer = _layer(top, name)
        if layer is None:
            continue
        if type(layer).__name__ == "MultiHeadAttention":
            parts = (("query", "_query_dense"), ("key", "_key_dense"), ("value", "_value_dense"),
                     ("attention_output", "_output_dense"))  # fmt: skip
            able |= {f"{name}.{part}": (layer, getattr(layer, place)) for part, place in parts}
        elif hasattr(layer, "enable_lora") and type(layer).__name__ in ("Dense", "EinsumDense"):
            able[name] = None, layer
    asked = list(wanted or ("query", "value"))
    found = {one: [n for n in able if f".{n}".endswith(f".{one}")] for one in asked}
    lost = [one for one, names in found.items() if not names]
    if lost:
        raise InputError(
            "target_not_found",
            f"{backbone.ref.name} has no layer of that name in its blocks.",
            received=", ".join(lost),
            allowed=", ".join(sorted({name.rpartition(".")[2] for name in able})),
            next="Set targets to some of the allowed names: --set 'targets=[\"query\"]'.",
        )
    return [able[n] for n in able if any(n in names for names in found.values())]


def _layer(top: Any, name: str) -> Any | None:
    return next((layer for layer in top.layers if layer.name == name), None)


def _bottlenecks(
    backbone: KerasBackbone, source: Any, injection: Injection, chosen: dict[int, Block]
) -> tuple[Any, dict[str, Place]]:
    """Two dense layers after attention's and the feed-forward half's output, or beside the
    latter."""
    from keras import layers

    settings, width = injection.settings, backbone.offer.width
    placement = str(settings.get("placement", "pfeiffer"))
    inner = max(1, width // int(settings.get("reduction", 16)))
    after: dict[str, str] = {}  # name of the adapter by that of the layer that it follows
    beside: dict[str, str] = {}  # the layer whose input an adapter reads, by the one it adds to
    for i, block in chosen.items():
        attention, first, output = _halves(backbone, source, block)
        if placement == "parallel":
            beside[output] = first
            after[output] = f"{i}.parallel"
            continue
        if placement == "houlsby":
            after[attention] = f"{i}.attention"
        after[output] = f"{i}.feed_forward"
    entered: dict[str, Any] = {}
    added: dict[str, Any] = {}

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name in beside.values():
            entered[layer.name] = args[0]
        answer = layer(*args, **kwargs)
        if layer.name not in after:
            return answer
        name = f"adapter.{after[layer.name]}"
        activation = str(settings.get("activation", "gelu"))
        down = layers.Dense(inner, activation=activation, name=f"{name}.down")
        up = layers.Dense(width, name=f"{name}.up")
        added.update({f"{name}.down": down, f"{name}.up": up})
        read = entered[beside[layer.name]] if layer.name in beside else answer
        return layers.Add()([answer, up(down(read))])

    top = _copied(source, call)
    places = {}
    for name, layer in added.items():
        start: Start = _narrow if name.endswith("down") else _nothing
        places[f"{name}.weight"] = Place(layer.kernel, True, start)
        places[f"{name}.bias"] = Place(layer.bias, False, _nothing)
    return top, places


def _narrow(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    return np.asarray(rng.normal(0.0, STD, shape))


def _nothing(_rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    return np.zeros(shape)


def _halves(backbone: KerasBackbone, source: Any, block: Block) -> tuple[str, str, str]:
    """Names of the layer that attention ends with, of the one that the feed-forward half begins
    with, and of the one that it ends with."""
    after = block.layers[block.layers.index(block.attention) + 1 :]
    dense = [n for n in after if type(_layer(source, n)).__name__ in ("Dense", "EinsumDense")]
    if type(_layer(source, block.attention)).__name__ == "MultiHeadAttention":
        dense = [block.attention, *dense]
    if len(dense) != 3:
        raise InputError(
            "feed_forward_not_found",
            f"The feed-forward layers of {backbone.ref.name} were not found.",
            received=", ".join(dense) or "no dense layer behind attention",
            allowed="blocks of attention and two dense layers",
            next="Use lora, which goes into any dense layer.",
        )
    return dense[0], dense[1], dense[2]


def refused(backbone: KerasBackbone, what: str) -> InputError:
    return InputError(
        "keras_cannot_tune",
        f"Tuning inside of Keras has not everything that torch has ({backbone.ref.name}).",
        received=what,
        allowed="weights, biases or norms of blocks; LoRA that starts by default or gaussian; "
        "adapters",
        next="Leave it out, or take the same model as a transformers folder.",
    )
