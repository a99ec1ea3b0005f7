"""BERT's encoders, such as minilm and e5-small, as models of plain Keras layers.

Devlin et al. 2019, arXiv:1810.04805; the GELU is the exact one.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supertune.backbones._sentence_folder import read_json
from supertune.backbones.keras.model import beside, quiet
from supertune.errors import InputError

Arrays = Mapping[str, Any]


def convert(source: Path, to: Path) -> Path:
    """Write the folder ``to`` with model.keras and the tokenizer of a transformers folder.

    Raises:
        InputError: ``no_keras`` where it is no encoder of BERT's kind.
    """
    from safetensors.numpy import load_file

    config = read_json(source / "config.json") or {}
    kind, act = config.get("model_type"), config.get("hidden_act", "gelu")
    place = config.get("position_embedding_type", "absolute")
    if (kind, act, place) != ("bert", "gelu", "absolute"):
        raise InputError(
            "no_keras",
            f"{source.name} is no encoder that is built of Keras layers here.",
            received=f"model_type {kind}, {act}, {place} positions",
            allowed="model_type bert with gelu and absolute positions, such as minilm",
            next="Choose such a model: `supertune models`.",
        )
    arrays: dict[str, Any] = {}
    for path in sorted(source.glob("*.safetensors")):
        found = load_file(str(path))
        arrays |= {name.removeprefix("bert."): array for name, array in found.items()}
    to.mkdir(parents=True, exist_ok=True)
    with quiet():
        _built(config, arrays).save(str(to / "model.keras"))
    for name in beside(source):
        shutil.copyfile(source / name, to / name)
    if (source / "1_Pooling").is_dir():
        shutil.copytree(source / "1_Pooling", to / "1_Pooling", dirs_exist_ok=True)
    return to


def _built(config: Mapping[str, Any], arrays: Arrays) -> Any:
    import keras
    from keras import layers

    types = {"input_ids": "int32", "attention_mask": "bool"}
    types |= {"token_type_ids": "int32", "position_ids": "int32"}
    given = {n: keras.Input(shape=(None,), dtype=kind, name=n) for n, kind in types.items()}
    width, set_to = int(config["hidden_size"]), []

    def weighted(layer: Any, *values: Any) -> Any:
        set_to.append((layer, values))
        return layer

    def norm(name: str) -> Any:
        made = layers.LayerNormalization(epsilon=float(config["layer_norm_eps"]))
        return weighted(made, arrays[f"{name}.weight"], arrays[f"{name}.bias"])

    embedded = []
    for name, table in (
        ("input_ids", "word"),
        ("position_ids", "position"),
        ("token_type_ids", "token_type"),
    ):
        values = arrays[f"embeddings.{table}_embeddings.weight"]
        embedded.append(weighted(layers.Embedding(*values.shape), values)(given[name]))
    hidden = norm("embeddings.LayerNorm")(layers.Add()(embedded))
    mask = layers.Reshape((1, -1))(given["attention_mask"])
    for number in range(int(config["num_hidden_layers"])):
        at, heads = f"encoder.layer.{number}", int(config["num_attention_heads"])
        attention = layers.MultiHeadAttention(heads, width // heads)
        weighted(attention, *_attention(arrays, f"{at}.attention", heads, width))
        seen = attention(hidden, hidden, attention_mask=mask)
        hidden = norm(f"{at}.attention.output.LayerNorm")(layers.Add()([hidden, seen]))
        inner = layers.Dense(int(config["intermediate_size"]), activation="gelu")
        weighted(inner, *_linear(arrays, f"{at}.intermediate.dense"))
        outer = weighted(layers.Dense(width), *_linear(arrays, f"{at}.output.dense"))
        hidden = norm(f"{at}.output.LayerNorm")(layers.Add()([hidden, outer(inner(hidden))]))
    last = layers.Identity(name="last_hidden_state")(hidden)
    model = keras.Model(given, last)
    for layer, values in set_to:
        layer.set_weights(list(values))
    return model


def _linear(arrays: Arrays, name: str) -> tuple[Any, Any]:
    """(d_in, d_out) and (d_out,)."""
    return arrays[f"{name}.weight"].T, arrays[f"{name}.bias"]


def _attention(arrays: Arrays, name: str, heads: int, width: int) -> list[Any]:
    """Queries, keys and values (d, heads, d / heads), and the output (heads, d / heads, d)."""
    found: list[Any] = []
    for part in ("query", "key", "value"):
        weight, bias = _linear(arrays, f"{name}.self.{part}")
        found += [weight.reshape(width, heads, -1), bias.reshape(heads, -1)]
    weight, bias = _linear(arrays, f"{name}.output.dense")
    return [*found, weight.reshape(heads, -1, width), bias]
