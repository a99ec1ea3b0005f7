"""Tuned numbers as the files of a model folder, and back."""

from __future__ import annotations

import json
from typing import Any

from supertune.artifact.reading import Artifact
from supertune.artifact.tensors import tensor_bytes
from supertune.contracts import State, StateFile

TUNED, ADAPTER, CONFIG = "tuned.safetensors", "adapter_model.safetensors", "adapter_config.json"
SETTINGS, BOUNDS = "settings.json", "calibration.safetensors"


def files(state: State) -> dict[str, bytes]:
    """By name. What PEFT or another library made is under that library's own names."""
    found = {TUNED: tensor_bytes(dict(state.arrays))}
    if state.adapter_config is not None:
        found[ADAPTER] = tensor_bytes(dict(state.adapter))
        found[CONFIG] = json_bytes(state.adapter_config)
    for name, one in state.files.items():
        found[name] = tensor_bytes(dict(one.arrays), one.header)
    if state.settings:
        found[SETTINGS] = json_bytes(state.settings)
    return found


def of(read: Artifact) -> State:
    """The inverse of `files`; headers are written and never needed."""
    others = [name for name in read.files if name.endswith(".safetensors")]
    return State(
        read.arrays(TUNED),
        read.json(SETTINGS) if SETTINGS in read.files else {},
        read.arrays(ADAPTER) if CONFIG in read.files else {},
        read.json(CONFIG) if CONFIG in read.files else None,
        {
            name: StateFile(read.arrays(name))
            for name in others
            if name not in (TUNED, ADAPTER, BOUNDS)
        },
    )


def json_bytes(value: Any) -> bytes:
    """JSON as it lies in a model folder: indented, keys in order, any script as it is."""
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8")
