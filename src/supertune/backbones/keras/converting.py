"""BERT's encoders, such as minilm and e5-small, as models of plain Keras layers.

Devlin et al. 2019, arXiv:1810.04805; the GELU is the exact one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from supertune.backbones._sentence_folder import read_json
from supertune.backbones.keras.model import beside, quiet
from supertune.backbones.transformers.declared import ORIGIN
from supertune.catalogue.weights import digest, digest_of, write_json
from supertune.errors import InputError

Arrays = Mapping[str, Any]


def convert(source: Path, to: Path) -> Path:
    """Write the folder ``to`` with model.keras and the tokenizer, or what is said of pictures, of a
    transformers folder.

    Raises:
        InputError: ``no_keras`` where it is no encoder of BERT's kind and no EfficientNet-Lite.
    """
    config = read_json(source / "config.json") or {}
    if config.get("model_type") == "efficientnet_lite":
        from supertune.backbones.keras import converting_efficientnet

        noted = read_json(source / ORIGIN) or {}
        config |= {key: noted.get(key) for key in ("pooling", "resize_mode")}
        return _written(source, to, config, converting_efficientnet.built)
    kind, act = config.get("model_type"), config.get("hidden_act", "gelu")
    place = config.get("position_embedding_type", "absolute")
    if (kind, act, place) != ("bert", "gelu", "absolute"):
        raise InputError(
            "no_keras",
            f"{source.name} is no encoder that is built of Keras layers here.",
            received=f"model_type {kind}, {act}, {place} positions",
            allowed="model_type bert with gelu and absolute positions, such as minilm, or "
            "efficientnet_lite",
            next="Choose such a model: `supertune models`.",
        )
    return _written(source, to, config, _built)


def _written(
    source: Path, to: Path, config: dict[str, Any], built: Callable[[Any, Arrays], Any]
) -> Path:
    from safetensors.numpy import load_file

    arrays: dict[str, Any] = {}
    for path in sorted(source.glob("*.safetensors")):
        found = load_file(str(path))
        arrays |= {name.removeprefix("bert."): array for name, array in found.items()}
    to.mkdir(parents=True, exist_ok=True)
    with quiet():
        built(config, arrays).save(str(to / "model.keras"))
    for name in beside(source):
        shutil.copyfile(source / name, to / name)
    made = {"sha256": digest(source), "into": digest_of([to / "model.keras"])}
    write_json(to / "config.json", {**config, "converted_from": made})
    if (source / "1_Pooling").is_dir():
        shutil.copytree(source / "1_Pooling", to / "1_Pooling", dirs_exist_ok=True)
    return to


def _built(config: Mapping[str, Any], arrays: Arrays) -> Any:
    """Layers have the names of torch's modules, so that what is tuned in one is known in both."""
    import keras
    from keras import layers, ops

    types = {"input_ids": "int32", "attention_mask": "bool"}
    types |= {"token_type_ids": "int32", "position_ids": "int32"}
    given = {n: keras.Input(shape=(None,), dtype=kind, name=n) for n, kind in types.items()}
    width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    set_to: list[tuple[Any, list[Any]]] = []

    def norm(name: str) -> Any:
        made = layers.LayerNormalization(epsilon=float(config["layer_norm_eps"]), name=name)
        set_to.append((made, [arrays[f"{name}.weight"], arrays[f"{name}.bias"]]))
        return made

    def linear(name: str, activation: str | None = None) -> Any:
        weight, bias = arrays[f"{name}.weight"], arrays[f"{name}.bias"]
        made = layers.Dense(len(weight), activation=activation, name=name)
        set_to.append((made, [weight.T, bias]))
        return made

    embedded = []
    for name, table in (
        ("input_ids", "word"),
        ("position_ids", "position"),
        ("token_type_ids", "token_type"),
    ):
        values = arrays[f"embeddings.{table}_embeddings.weight"]
        made = layers.Embedding(*values.shape, name=f"embeddings.{table}_embeddings")
        set_to.append((made, [values]))
        embedded.append(made(given[name]))
    hidden = norm("embeddings.LayerNorm")(layers.Add()(embedded))
    mask = layers.Reshape((1, 1, -1))(given["attention_mask"])
    for number in range(int(config["num_hidden_layers"])):
        at = f"encoder.layer.{number}"
        parts = [
            layers.Reshape((-1, heads, width // heads))(linear(f"{at}.attention.self.{p}")(hidden))
            for p in ("query", "key", "value")
        ]
        seen = layers.Reshape((-1, width))(ops.dot_product_attention(*parts, mask=mask))
        seen = linear(f"{at}.attention.output.dense")(seen)
        hidden = norm(f"{at}.attention.output.LayerNorm")(layers.Add()([hidden, seen]))
        inner = linear(f"{at}.intermediate.dense", "gelu")(hidden)
        outer = linear(f"{at}.output.dense")(inner)
        hidden = norm(f"{at}.output.LayerNorm")(layers.Add()([hidden, outer]))
    model = keras.Model(given, layers.Identity(name="last_hidden_state")(hidden))
    for layer, values in set_to:
        layer.set_weights(values)
    return model
