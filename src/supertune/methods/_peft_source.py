"""What the installed ``peft`` registers, read from its source: importing it would take seconds.

Each of its methods lies in a folder of ``tuners/`` whose ``__init__`` registers a name and a
configuration; the configuration is a dataclass whose fields are the method's arguments.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

# Filled in by the engine or by peft itself, or of no use where one text goes in.
_BOOKKEEPING = {
    *("peft_type", "task_type", "auto_mapping", "peft_version", "inference_mode", "revision"),
    *("base_model_name_or_path", "layers_to_transform", "layers_pattern", "modules_to_save"),
    *("token_dim", "num_layers", "num_attention_heads", "num_transformer_submodules"),
    *("tokenizer_name_or_path", "tokenizer_kwargs", "prompt_tuning_init_text", "runtime_config"),
    *("cpt_token_ids", "cpt_mask", "cpt_tokens_type_mask", "megatron_config", "megatron_core"),
}


@dataclass(frozen=True)
class Argument:
    """One field of a configuration; ``default`` is None where it is no plain value."""

    kind: str
    default: Any
    help: str


def version() -> str:
    """Of the installed peft; empty where there is none."""
    try:
        return metadata.version("peft")
    except metadata.PackageNotFoundError:
        return ""


@cache
def types() -> dict[str, str]:
    """``{"LOHA": "LoHaConfig", ...}`` in alphabetical order."""
    found = {}
    for path in _files("tuners/*/__init__.py"):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "register_peft_method":
                given = {word.arg: word.value for word in node.keywords}
                name = ast.literal_eval(given["name"])
                found[str(name).upper()] = ast.unparse(given["config_cls"])
    return dict(sorted(found.items()))


@cache
def arguments(name: str) -> dict[str, Argument]:
    """The arguments that a person may give to one type."""
    return {
        key: argument
        for key, argument in _inherited(types()[name]).items()
        if key not in _BOOKKEEPING
    }


@cache
def paper(name: str) -> str:
    """``"arXiv:2106.09685"``, to which the description of a type's model refers, or peft itself."""
    for path in _files(f"tuners/{name.lower()}/model.py"):
        for node in _tree(path).body:
            told = ast.get_docstring(node) if isinstance(node, ast.ClassDef) else None
            found = re.search(r"(?:arxiv\.org/\w+|/papers)/(\d{4}\.\d{4,5})", told or "")
            if found:
                return f"arXiv:{found[1]}"
    return f"peft {version()}"


def _files(pattern: str) -> list[Path]:
    spec = importlib.util.find_spec("peft")
    places = spec.submodule_search_locations if spec is not None else None
    return sorted(Path(places[0]).glob(pattern)) if places else []


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())


@cache
def _classes() -> dict[str, ast.ClassDef]:
    paths = [path for p in ("config.py", "tuners/*.py", "tuners/*/config.py") for path in _files(p)]
    return {
        node.name: node
        for path in paths
        for node in _tree(path).body
        if isinstance(node, ast.ClassDef)
    }


def _inherited(name: str) -> dict[str, Argument]:
    node = _classes().get(name)
    if node is None:
        return {}
    found: dict[str, Argument] = {}
    for base in node.bases:
        found |= _inherited(ast.unparse(base))
    for part in node.body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            found[part.target.id] = _argument(part)
    return found


def _argument(part: ast.AnnAssign) -> Argument:
    default, told = part.value, ""
    if isinstance(part.value, ast.Call):
        given = {word.arg: word.value for word in part.value.keywords}
        default = given.get("default")
        told = _plain(given.get("metadata"), {}).get("help", "")
        told = told if isinstance(told, str) else " ".join(map(str, told))
    first = re.split(r"\. ?(?=[A-Z\"'])", " ".join(told.split()))[0]  # the rest is long
    return Argument(ast.unparse(part.annotation), _plain(default, None), first)


def _plain(node: ast.expr | None, otherwise: Any) -> Any:
    try:
        return otherwise if node is None else ast.literal_eval(node)
    except ValueError:
        return otherwise
