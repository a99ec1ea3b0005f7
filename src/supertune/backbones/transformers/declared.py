"""What a Hugging Face model folder declares about itself, read without torch or any weight."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from supertune.backbones import _sentence_folder as sentence_folder
from supertune.backbones._sentence_folder import read_json
from supertune.backbones.transformers import (
    declared_pictures,
    declared_sounds,
    declared_speech,
    declared_towers,
    declared_translators,
)
from supertune.contracts import Offer
from supertune.errors import InputError

ORIGIN = "supertune-origin.json"  # written by the catalogue
_ROBERTA_LIKE = {"camembert", "mpnet", "longformer", "data2vec-text", "ibert", "xmod", "esm"}
_NORM = re.compile(r"\.(ln|sa_layer|layer_)\w*\.bias$")  # norms that are not called so
# Types of transformers 5 whose forward pass takes no keys and values from before the text.
_NO_PAST = {
    *("albert", "convbert", "deberta", "deberta-v2", "distilbert", "esm", "eurobert", "flaubert"),
    *("fnet", "funnel", "gte", "ibert", "layoutlm", "longformer", "luke", "mobilebert"),
    *("modernbert", "mpnet", "mra", "nomic_bert", "nystromformer", "openai-gpt", "reformer"),
    *("rwkv", "squeezebert", "mamba", "mamba2", "falcon_mamba", "xlm", "xlnet", "xlstm", "yoso"),
}
# Those whose blocks are told of positions in a form that cannot be made longer.
_RELATIVE = {
    *("bloom", "deberta", "deberta-v2", "flaubert", "funnel", "luke", "mpnet", "mpt", "xlm"),
}
# Types whose language-model head reads the words behind a place too.
_BOTH_WAYS = {"flaubert", "reformer", "xlm", "xlnet"}
# Types that do so unless they are declared to be decoders.
_BOTH_WAYS_UNLESS = {
    *("bert", "bert-generation", "big_bird", "camembert", "data2vec-text", "electra", "ernie"),
    *("megatron-bert", "rembert", "roberta", "roberta-prelayernorm", "roformer", "xlm-roberta"),
    *("xlm-roberta-xl", "xmod"),
}
_MULTILINGUAL = ("xlm", "mbert", "multilingual", "bert-base-multilingual", "mt5", "mmarco")


def offer(folder: Path) -> Offer:
    """The offer of a model folder, from its JSON files and safetensors headers.

    Raises:
        InputError: when the folder is no model, needs code of its own, or holds only pickles.
    """
    config = read_json(folder / "config.json")
    if config is None:
        raise InputError(
            "not_a_backbone",
            f"{folder.name} holds no readable config.json.",
            received=str(folder),
            allowed="a folder written by transformers' save_pretrained",
            next="`supertune models` lists backbones that can be had by name.",
        )
    if "auto_map" in config and "model_type" not in config:
        raise InputError(
            "remote_code",
            f"{folder.name} brings program code of its own, which supertune never runs.",
            received=str(config["auto_map"]),
            next="Choose a model of an architecture that transformers itself has.",
        )
    files = weight_files(folder)
    shapes = {name: shape for path in files for name, shape in _shapes(path).items()}
    processor = read_json(folder / "preprocessor_config.json") or {}
    origin = read_json(folder / ORIGIN) or {}
    if declared_speech.writes(config):
        return declared_speech.offer(config, shapes, _languages(folder, config))
    if declared_translators.translates(config):
        return declared_translators.offer(config, shapes)
    if declared_sounds.hears(config, processor):
        biases = "biases" in _capabilities(config, "encoder", shapes)
        found = declared_sounds.offer(config, processor, origin, shapes, biases)
        return declared_speech.aligning(config, found)
    if declared_towers.are(config):
        return declared_towers.offer(config, processor, origin, shapes)
    if declared_pictures.is_of_pictures(config):
        biases = "biases" in _capabilities(config, "encoder", shapes)
        return declared_pictures.offer(config, processor, origin, shapes, biases)
    return _of_texts(folder, config, shapes)


def _of_texts(folder: Path, config: dict[str, Any], shapes: Mapping[str, Sequence[int]]) -> Offer:
    text_config = config.get("text_config") if "hidden_size" not in config else None
    sizes = text_config if isinstance(text_config, dict) else config
    family = _family(config)
    positions = _positions(sizes, str(config.get("model_type", "")))
    depth = _first(
        sizes, "num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers"
    )
    found = Offer(
        capabilities=_capabilities(config, family, shapes),
        family=family,
        architecture=str((config.get("architectures") or [config.get("model_type", "model")])[0]),
        width=_first(sizes, "hidden_size", "d_model", "n_embd", "dim", "emb_dim"),
        depth=depth,
        parameters=sum(math.prod(shape) for shape in shapes.values()),
        max_length=sentence_folder.longest(folder, positions),
        pooling=sentence_folder.pooling(folder, family),
        prefix=sentence_folder.prefix(folder),
        normalize=sentence_folder.normalizes(folder),
        languages=_languages(folder, config),
        chat=_chats(folder),
        decoder_depth=_decoder_depth(config, family, depth),
    )
    told = read_json(folder / "tokenizer_config.json") or {}
    return declared_translators.translating(config, told, found)


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The safetensors files of a model folder, in name order."""
    files = tuple(sorted(folder.glob("*.safetensors")))
    files = tuple(path for path in files if not path.name.startswith(("adapter_", "head.")))
    if files:
        return files
    pickled = sorted(path.name for path in (*folder.glob("*.bin"), *folder.glob("*.pt")))
    if pickled:
        raise InputError(
            "pickled_weights",
            f"{folder.name} has its weights only in a pickle, which could run code on loading.",
            received=", ".join(pickled),
            allowed="*.safetensors",
            next=f"Convert it once, in its folder: {conversion(pickled[0])}",
        )
    raise InputError(
        "weights_missing",
        f"{folder.name} holds no weights.",
        received=str(folder),
        allowed="*.safetensors",
        next="Fetch the folder again, or name another backbone.",
    )


def settings_hash(folder: Path) -> str:
    """sha256 over the files that say how a model is read: configuration, tokenizer, pooling."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".json", ".txt", ".model"} and path.name != ORIGIN:
            name = path.relative_to(folder).as_posix().encode()
            digest.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def conversion(pickled: str, made: str = "model.safetensors") -> str:
    """The command that makes ``made`` of a pickle without running what it holds."""
    # It reads tensors alone (weights_only); supertune itself never opens a pickle.
    return (
        'python -c "import torch, safetensors.torch as s; '
        f"t = torch.load('{pickled}', map_location='cpu', weights_only=True); "
        # Tied weights share memory, which a safetensors file cannot say.
        "s.save_file({n: v.contiguous().clone() for n, v in t.items()}, "
        f"'{made}', {{'format': 'pt'}})\""
    )


def _first(sizes: dict[str, Any], *names: str) -> int:
    """One size by whichever name the architecture has for it; 0 where it is not said."""
    return next((int(sizes[name]) for name in names if sizes.get(name)), 0)


def _family(config: dict[str, Any]) -> Literal["encoder", "masked", "causal", "seq2seq"]:
    names = " ".join(map(str, config.get("architectures") or ()))
    if config.get("is_encoder_decoder"):
        return "seq2seq"
    if "CausalLM" in names or "LMHeadModel" in names:
        return "causal"
    return "masked" if "MaskedLM" in names else "encoder"


def _capabilities(
    config: dict[str, Any], family: str, shapes: Mapping[str, Sequence[int]]
) -> frozenset[str]:
    found = {"features", "blocks", "torch"}
    kind = str(config.get("model_type", ""))
    if family != "seq2seq" and kind not in _NO_PAST:  # of two stacks the encoder is read
        found.add("past_keys")
    if family != "seq2seq" and kind not in _RELATIVE:
        found.add("block_prompts")
    linear = (name for name in shapes if name.endswith(".bias") and "norm" not in name.lower())
    if any(re.search(r"\.\d+\.", name) and not _NORM.search(name) for name in linear):
        found.add("biases")
    names = " ".join(map(str, config.get("architectures") or ()))
    if family == "masked":
        found |= {"mask_logits", "score_text"}
    elif family == "causal" or "ConditionalGeneration" in names:
        found |= {"next_token_logits", "score_text"}
        undeclared = kind in _BOTH_WAYS_UNLESS and not config.get("is_decoder")
        if kind not in _BOTH_WAYS and not undeclared:
            found |= {"sequence_loss", "generate"}
    return frozenset(found)


def _decoder_depth(config: dict[str, Any], family: str, depth: int) -> int:
    if family != "seq2seq" or "ConditionalGeneration" not in str(config.get("architectures")):
        return 0
    return _first(config, "num_decoder_layers", "decoder_layers") or depth


def _chats(folder: Path) -> bool:
    declared = read_json(folder / "tokenizer_config.json") or {}
    return bool(declared.get("chat_template")) or (folder / "chat_template.jinja").is_file()


def _positions(sizes: dict[str, Any], model_type: str) -> int:
    positions = int(sizes.get("max_position_embeddings") or sizes.get("n_positions") or 512)
    # RoBERTa-like models keep the first positions up to padding_idx for padding.
    return positions - 2 if "roberta" in model_type or model_type in _ROBERTA_LIKE else positions


def _shapes(path: Path) -> dict[str, list[int]]:
    """Names and shapes of the arrays of a safetensors file, from its header."""
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(min(length, 100_000_000)))
    except (OSError, ValueError, struct.error) as error:
        raise InputError(
            "weights_unreadable",
            f"{path.name} is not a safetensors file.",
            received=type(error).__name__,
            next="Fetch the backbone again.",
        ) from error
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


def _languages(folder: Path, config: dict[str, Any]) -> tuple[str, ...]:
    origin = read_json(folder / ORIGIN) or {}
    if origin.get("languages"):
        return tuple(map(str, origin["languages"]))
    name = f"{folder.name} {config.get('_name_or_path', '')} {config.get('model_type', '')}".lower()
    if any(mark in name for mark in _MULTILINGUAL):
        return ("*",)
    return ()
