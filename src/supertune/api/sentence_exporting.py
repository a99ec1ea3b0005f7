"""What ``supertune export --format sentence-transformers`` adds to a merged folder: the files by
which plain Sentence Transformers pools, cuts and scales as the model does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supertune.artifact.states import json_bytes
from supertune.contracts import Lens
from supertune.errors import InputError

_MODES = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "last": "pooling_mode_lasttoken",
}
_FOUND = "sentence_transformers.models"  # their names of modules, old ones too


def check(lens: Lens) -> None:
    """Refuse what makes no sentence embeddings.

    Raises:
        InputError: ``no_sentence_embeddings``.
    """
    encoding, offer = lens.encoding, lens.backbone.offer
    how = encoding.pooling or offer.pooling
    why = None
    if offer.modality != "text" or offer.family == "seq2seq":
        why = f"{lens.backbone.ref.name} is a {offer.family} model that reads {offer.modality}"
    elif encoding.prompt is not None:
        why = "its answers are read at a place in a prompt"
    elif encoding.layer not in (None, offer.depth) or how not in _MODES:
        why = f"its vectors are those of block {encoding.layer or offer.depth}, pooled by {how}"
    if why is not None:
        raise InputError(
            "no_sentence_embeddings",
            f"It makes no sentence embeddings: {why}.",
            received=lens.backbone.ref.name,
            allowed=f"models of texts that pool by {', '.join(_MODES)}",
            next="Add --format merged instead.",
        )


def write(folder: Path, about: Mapping[str, Any], width: int) -> None:
    """Complete a merged transformers folder; ``about`` is the content of its ``head.json``."""
    modules = ["Transformer", "Pooling", *(["Normalize"] if about["normalize"] else [])]
    listed = [
        {"idx": i, "name": str(i), "path": f"{i}_{name}" if i else "", "type": f"{_FOUND}.{name}"}
        for i, name in enumerate(modules)
    ]
    pooling: dict[str, Any] = {"word_embedding_dimension": width}
    pooling |= {mode: how == about["pooling"] for how, mode in _MODES.items()}
    prompts = {"classification": about["prefix"]} if about["prefix"] else {}
    declared = {"prompts": prompts, "default_prompt_name": next(iter(prompts), None)}
    limits = {"max_seq_length": about["max_length"], "do_lower_case": False}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    for name, content in (
        ("modules.json", listed),
        ("1_Pooling/config.json", pooling),
        ("sentence_bert_config.json", limits),
        ("config_sentence_transformers.json", declared),
    ):
        (folder / name).write_bytes(json_bytes(content))
