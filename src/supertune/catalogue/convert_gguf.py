"""A Llama model in a GGUF file as a plain Transformers folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt

from supertune.catalogue.gguf_file import Gguf, read
from supertune.catalogue.weights import Tensor, bad_layout, write, write_json

_OUTSIDE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_INSIDE = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_CONTROL = 3  # the token type of what is not text


def convert(data: bytes, target: Path) -> None:
    """Write config.json, model.safetensors (float32) and the tokenizer into ``target``.

    Raises:
        InputError: ``weights_layout``.
    """
    file = read(data)
    if file.settings.get("general.architecture") != "llama":
        raise bad_layout(f"architecture {file.settings.get('general.architecture')}")
    if file.settings.get("tokenizer.ggml.pre") != "smollm":
        raise bad_layout(f"words cut by {file.settings.get('tokenizer.ggml.pre')}")
    config = _config(file)
    write(dict(_renamed(name, tensor, config) for name, tensor in file.tensors.items()), target)
    write_json(target / "config.json", config)
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    write_json(target / "generation_config.json", {name: config[name] for name in names})
    _tokenizer(file.settings).save(str(target / "tokenizer.json"))
    write_json(target / "tokenizer_config.json", _tokenizer_config(file.settings))
    template = str(file.settings["tokenizer.chat_template"])
    (target / "chat_template.jinja").write_text(template, encoding="utf-8")


def _config(file: Gguf) -> dict[str, Any]:
    llama = {name.removeprefix("llama."): value for name, value in file.settings.items()}
    ids = {name: file.settings[f"tokenizer.ggml.{name}_token_id"] for name in ("bos", "eos")}
    width, heads = llama["embedding_length"], llama["attention.head_count"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": width,
        "num_hidden_layers": llama["block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": llama["attention.head_count_kv"],
        "head_dim": llama.get("rope.dimension_count", width // heads),
        "intermediate_size": llama["feed_forward_length"],
        "vocab_size": llama["vocab_size"],
        "max_position_embeddings": llama["context_length"],
        "rms_norm_eps": float(f"{llama['attention.layer_norm_rms_epsilon']:.3g}"),
        "rope_parameters": {"rope_type": "default", "rope_theta": llama["rope.freq_base"]},
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": "output.weight" not in file.tensors,
        "bos_token_id": ids["bos"],
        "eos_token_id": ids["eos"],
        "pad_token_id": file.settings["tokenizer.ggml.padding_token_id"],
        "dtype": "float32",
    }


def _renamed(name: str, tensor: Tensor, config: dict[str, Any]) -> tuple[str, Tensor]:
    if name in _OUTSIDE:
        return _OUTSIDE[name], tensor
    _, layer, part, kind = name.split(".")
    heads = {"attn_q": "num_attention_heads", "attn_k": "num_key_value_heads"}
    if part in heads:
        tensor = Tensor(tensor.shape, partial(_halves, tensor, config[heads[part]]))
    return f"model.layers.{layer}.{_INSIDE[part]}.{kind}", tensor


def _halves(tensor: Tensor, heads: int) -> npt.NDArray[Any]:
    """GGUF rotates neighbouring rows of a head, Transformers its two halves."""
    rows, width = tensor.shape
    paired = tensor.values().reshape(heads, rows // heads // 2, 2, width)
    return paired.swapaxes(1, 2).reshape(rows, width)


def _tokenizer(settings: dict[str, Any]) -> Any:
    """Byte pairs; every digit is a word of its own, as "smollm" has it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokens = settings["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ")) for pair in settings["tokenizer.ggml.merges"]]
    places = {token: place for place, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(places, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    kinds = settings["tokenizer.ggml.token_type"]
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == _CONTROL]
    tokenizer.add_special_tokens(special)
    return tokenizer


def _tokenizer_config(settings: dict[str, Any]) -> dict[str, Any]:
    names = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}
    tokens = settings["tokenizer.ggml.tokens"]
    special = {
        f"{name}_token": tokens[settings[f"tokenizer.ggml.{long}_token_id"]]
        for name, long in names.items()
    }
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": settings["llama.context_length"],
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        **special,
    }
