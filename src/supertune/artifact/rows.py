"""The labelled rows inside a model folder (``rows.jsonl``), from which a later fit goes on."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune import registry
from supertune.contracts import Columns, Examples, Input
from supertune.data.boxes import kept as boxes


def to_lines(examples: Examples) -> bytes:
    """The labelled rows, so that a later fit can go on from them."""
    lines = []
    to_json = registry.modality(examples.modality).to_json
    for i, value in enumerate(examples.inputs):
        assert examples.targets is not None
        row: dict[str, Any] = {
            "input": to_json(value),
            "label": boxes.to_json(examples.targets[i], value, examples.labels)
            if examples.boxed
            else _label(examples, examples.targets[i]),
        }
        if examples.groups is not None:
            row["group"] = int(examples.groups[i])
        if examples.weights is not None:
            row["weight"] = float(examples.weights[i])
        lines.append(json.dumps(row, ensure_ascii=False, sort_keys=True))
    return ("\n".join(lines) + "\n").encode("utf-8")


def _label(examples: Examples, target: Any) -> str | float | list[str] | dict[str, Any]:
    if examples.valued:
        return float(target)
    if examples.listed:
        return {"items": [int(place) for place in target if place >= 0]}
    if examples.worded:
        return {"text": str(target)}
    if examples.multi_label:
        return [name for name, on in zip(examples.labels, target, strict=True) if on]
    return examples.labels[int(target)]


def from_lines(text: str, columns: Columns, labels: tuple[str, ...]) -> Examples:
    """The inverse of `to_lines`; ``labels`` are the model's."""
    # Not splitlines(): a text may hold other ends of lines (U+2028, U+0085), which JSON leaves.
    rows = [json.loads(line) for line in text.split("\n") if line]
    from_json = registry.modality(columns.modality).from_json
    inputs = tuple(from_json(row["input"]) for row in rows)
    targets, names = _answers([row["label"] for row in rows], inputs, labels)
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


def _answers(
    given: list[Any], inputs: tuple[Input, ...], labels: tuple[str, ...]
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Targets as `Examples` has them, and the names that they mean."""
    if any(isinstance(one, dict) for row in given if isinstance(row, list) for one in row):
        return boxes.from_json(given, inputs, labels), labels
    if all(isinstance(label, dict) and "items" in label for label in given):
        return _padded([label["items"] for label in given]), labels
    if all(isinstance(label, dict) for label in given):
        return np.array([label["text"] for label in given], dtype=np.str_), labels
    if all(isinstance(label, float) for label in given):
        return np.array(given), labels
    several = any(isinstance(label, list) for label in given)
    names = tuple(sorted({name for row in given for name in (row if several else [row])}))
    if several:
        return np.array([[float(name in row) for name in names] for row in given]), names
    return np.array([names.index(label) for label in given]), names


def _padded(lists: list[list[int]]) -> npt.NDArray[Any]:
    targets = np.full((len(lists), max(1, *map(len, lists))), -1, dtype=np.int32)
    for i, places in enumerate(lists):
        targets[i, : len(places)] = places
    return targets
