"""The labelled rows inside a model folder (``rows.jsonl``), from which a later fit goes on."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import registry
from supertune.contracts import Columns, Examples


def to_lines(examples: Examples) -> bytes:
    """The labelled rows, so that a later fit can go on from them."""
    lines = []
    to_json = registry.modality(examples.modality).to_json
    for i, value in enumerate(examples.inputs):
        assert examples.targets is not None
        row: dict[str, Any] = {
            "input": to_json(value),
            "label": _label(examples, examples.targets[i]),
        }
        if examples.groups is not None:
            row["group"] = int(examples.groups[i])
        if examples.weights is not None:
            row["weight"] = float(examples.weights[i])
        lines.append(json.dumps(row, ensure_ascii=False, sort_keys=True))
    return ("\n".join(lines) + "\n").encode("utf-8")


def _label(examples: Examples, target: Any) -> str | float | list[str]:
    if examples.valued:
        return float(target)
    if examples.multi_label:
        return [name for name, on in zip(examples.labels, target, strict=True) if on]
    return examples.labels[int(target)]


def from_lines(text: str, columns: Columns, labels: tuple[str, ...]) -> Examples:
    """The inverse of `to_lines`; ``labels`` are the model's."""
    # Not splitlines(): a text may hold other ends of lines (U+2028, U+0085), which JSON leaves.
    rows = [json.loads(line) for line in text.split("\n") if line]
    from_json = registry.modality(columns.modality).from_json
    inputs = tuple(from_json(row["input"]) for row in rows)
    several = any(isinstance(row["label"], list) for row in rows)
    valued = all(isinstance(row["label"], float) for row in rows)
    flat = (label for row in rows for label in (row["label"] if several else [row["label"]]))
    names = labels if valued else tuple(sorted(set(flat)))
    if valued:
        targets: npt.NDArray[Any] = np.array([row["label"] for row in rows])
    elif several:
        targets = np.array([[float(name in row["label"]) for name in names] for row in rows])
    else:
        targets = np.array([names.index(row["label"]) for row in rows])
    groups = np.array([row["group"] for row in rows]) if "group" in rows[0] else None
    weights = np.array([row["weight"] for row in rows]) if "weight" in rows[0] else None
    return Examples(
        inputs,
        targets,
        names,
        np.arange(1, len(rows) + 1),
        groups,
        weights,
        columns=columns.numbers,
    )
