"""What lies beside a model's weights and says how texts are read: files of Sentence Transformers
and of tokenizers, read without any framework."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

_READ = (
    *("tokenizer.json", "tokenizer_config.json", "config.json", "labels.json", "modules.json"),
    *("1_Pooling/config.json", "sentence_bert_config.json", "config_sentence_transformers.json"),
)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None where there is none."""
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return loaded if isinstance(loaded, dict) else None


def pooling(folder: Path, family: str = "encoder") -> Literal["mean", "cls", "last"]:
    """How vectors are made of hidden states; the mean where nothing is said of an encoder."""
    declared = read_json(folder / "1_Pooling" / "config.json") or {}
    if declared.get("pooling_mode_cls_token") or declared.get("pooling_mode") == "cls":
        return "cls"
    if declared.get("pooling_mode_lasttoken") or declared.get("pooling_mode") == "lasttoken":
        return "last"
    if not declared and family == "causal":
        return "last"
    return "mean"


def normalizes(folder: Path) -> bool:
    """Whether vectors are scaled to length 1."""
    return any("Normalize" in str(part.get("type")) for part in _modules(folder))


def prefix(folder: Path) -> str:
    """What stands in front of every text."""
    declared = read_json(folder / "config_sentence_transformers.json") or {}
    prompts = declared.get("prompts") or {}
    for key in ("classification", declared.get("default_prompt_name"), "query"):
        if key and prompts.get(key):
            return str(prompts[key])
    return ""


def longest(folder: Path, positions: int) -> int:
    """Tokens that are read of a text, of a model with so many positions."""
    declared = read_json(folder / "sentence_bert_config.json") or {}
    return min(int(declared.get("max_seq_length") or positions), positions)


def settings_hash(folder: Path) -> str:
    """sha256 over the files here that say how texts are read."""
    digest = hashlib.sha256()
    for name in _READ:
        path = folder / name
        content = path.read_bytes() if path.is_file() else b""
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()


def _modules(folder: Path) -> list[dict[str, Any]]:
    try:
        loaded = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [part for part in loaded if isinstance(part, dict)] if isinstance(loaded, list) else []
