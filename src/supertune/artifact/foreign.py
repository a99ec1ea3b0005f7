"""Folders that other libraries wrote: bare PEFT adapters, and SetFit models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from supertune.artifact.manifest import FILE, MAX_BYTES
from supertune.artifact.places import some
from supertune.artifact.tensors import Arrays, read_tensors
from supertune.backbones.transformers.declared import conversion
from supertune.errors import InputError

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
HEAD = "head.safetensors"
HEAD_CONFIG = "head.json"


@dataclass(frozen=True, eq=False)
class PeftFolder:
    """A bare PEFT adapter, and the head beside it where `supertune export` put one.

    Attributes:
        config: the content of ``adapter_config.json``.
        arrays: the adapter's numbers, under the names of the file.
        head: named arrays of ``head.safetensors``; empty where there is none.
        about: the content of ``head.json``.
    """

    folder: Path
    config: Mapping[str, Any]
    arrays: Arrays
    head: Arrays = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


def kind(folder: Path) -> Literal["peft", "setfit"] | None:
    """Whose format a folder is in; None for our own, and for whatever is neither."""
    if (folder / FILE).exists() or not folder.is_dir():
        return None
    if (folder / CONFIG).is_file():
        return "peft"
    setfit = ("config_setfit.json", "model_head.pkl")
    return "setfit" if any((folder / name).is_file() for name in setfit) else None


def writes(folder: Path) -> bool:
    """Whether a folder is an adapter trained to write text, with nothing to classify by."""
    if kind(folder) != "peft" or (folder / HEAD_CONFIG).is_file() or (folder / HEAD).is_file():
        return False
    return read_object(folder / CONFIG).get("task_type") in ("CAUSAL_LM", "SEQ_2_SEQ_LM")


def read_peft(folder: Path) -> PeftFolder:
    """Read a bare PEFT folder; nothing in it is unpickled.

    Raises:
        InputError: ``pickled_weights``, ``file_missing``, ``file_damaged`` or
            ``tensors_unreadable``.
    """
    config = read_object(folder / CONFIG)
    if not (folder / WEIGHTS).is_file():
        raise _no_weights(folder)
    if not isinstance(config.get("peft_type"), str):
        raise _damaged(folder / CONFIG, "no peft_type in it")
    head, about = folder / HEAD, folder / HEAD_CONFIG
    return PeftFolder(
        folder,
        config,
        read_tensors((folder / WEIGHTS).read_bytes(), WEIGHTS),
        read_tensors(head.read_bytes(), HEAD) if head.is_file() else {},
        read_object(about) if about.is_file() else {},
    )


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InputError: ``file_damaged``.
    """
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(MAX_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if not isinstance(found, dict):
        raise _damaged(path, f"a JSON {type(found).__name__}")
    return found


def _damaged(path: Path, received: str) -> InputError:
    return InputError(
        "file_damaged",
        f"{path.name} in {path.parent} cannot be understood.",
        received=received,
        allowed="the JSON object that its library wrote",
        next="Copy the folder again from where it was made.",
    )


def _no_weights(folder: Path) -> InputError:
    if (folder / "adapter_model.bin").is_file():
        return InputError(
            "pickled_weights",
            f"{folder} has its adapter only in a pickle, which could run code on loading.",
            received="adapter_model.bin",
            allowed=WEIGHTS,
            next=f"Convert it once, in its folder: {conversion('adapter_model.bin', WEIGHTS)}",
        )
    return InputError(
        "file_missing",
        f"{folder} is incomplete: {WEIGHTS} is missing.",
        received=some(path.name for path in folder.iterdir()),
        allowed=f"{CONFIG} and {WEIGHTS}",
        next="Save the adapter again: model.save_pretrained(folder).",
    )
