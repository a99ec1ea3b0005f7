"""Where a model can be cut, what it then offers, and what is refused: all without TensorFlow."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from supertune import registry
from supertune.backbones.keras import declared
from supertune.backbones.keras.graph import blocks
from supertune.contracts import misfit


def layer(kind: str, name: str, *reads: str) -> dict[str, Any]:
    """One of a description, called with what others give."""
    tensors = [
        {"class_name": "__keras_tensor__", "config": {"keras_history": [read, 0, 0]}}
        for read in reads
    ]
    calls = [{"args": tensors, "kwargs": {}}] if reads else []
    config = {"name": name, "dtype": "int32"}
    where = {"module": "keras.layers", "class_name": kind, "name": name, "config": config}
    return {**where, "inbound_nodes": calls}


def encoder(depth: int, *, joined: bool = False) -> dict[str, Any]:
    """Blocks that normalise behind each half; ``joined``: every block reads the first one too."""
    made = [
        layer("InputLayer", "input_ids"),
        layer("Embedding", "words", "input_ids"),
        layer("LayerNormalization", "start", "words"),
        layer("InputLayer", "attention_mask"),
        layer("Reshape", "mask", "attention_mask"),
    ]
    before = "start"
    for i in range(depth):
        names = {one: f"{one}_{i}" for one in ("attention", "sum", "norm", "in", "out", "end")}
        added = ("start",) if joined else ()
        made += [
            layer("MultiHeadAttention", names["attention"], before, before, "mask"),
            layer("Add", names["sum"], before, names["attention"], *added),
            layer("LayerNormalization", names["norm"], names["sum"]),
            layer("Dense", names["in"], names["norm"]),
            layer("Dense", names["out"], names["in"]),
            layer("Add", names["end"], names["norm"], names["out"]),
        ]
        before = names["end"]
    return {"module": "keras", "class_name": "Functional", "config": {"layers": made}}


def test_a_block_begins_where_one_tensor_alone_carries_the_words() -> None:
    first, second = blocks(encoder(2))
    assert (first.entry, second.entry) == ("start", "end_0")
    assert first.attention == "attention_0"
    assert first.layers == ("attention_0", "sum_0", "norm_0", "in_0", "out_0", "end_0")
    assert second.layers[-1] == "end_1"


def test_what_reads_far_below_cannot_be_cut() -> None:
    assert blocks(encoder(2, joined=True)) == ()
    twice = encoder(2)
    twice["config"]["layers"][-1]["inbound_nodes"] *= 2
    assert blocks(twice) == ()
    assert blocks({**encoder(2), "class_name": "Sequential"}) == ()
    assert blocks(encoder(0)) == ()


def offer(folder: Path, described: dict[str, Any]) -> Any:
    folder.mkdir()
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(described))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "config.json").write_text(json.dumps({"hidden_size": 8}))
    return declared.saved(folder, "mine").offer


@pytest.mark.parametrize(
    ("method", "objective", "told"),
    [
        ("lora", "classify", None),
        ("adapter", "regress", None),
        ("top_blocks", "classify", None),
        ("linear_probe", "classify", None),
        ("contrastive", "classify", "contrastive"),
        ("ia3", "classify", "IA3"),
        ("prefix_tuning", "classify", "past_keys"),
        ("lora", "rank", "rank"),
    ],
)
def test_what_it_tunes_is_known_before_anything_is_loaded(
    tmp_path, method, objective, told
) -> None:
    given = offer(tmp_path / "cut", encoder(2))
    assert given.depth == 2
    rows = "interactions" if objective == "rank" else "text"
    why = misfit(registry.method(method), objective, given, rows)
    assert (why is None) == (told is None), why
    assert told is None or told in str(why)


def test_a_model_that_cannot_be_cut_is_frozen(tmp_path) -> None:
    given = offer(tmp_path / "whole", encoder(2, joined=True))
    assert given.capabilities == {"features"}
    assert misfit(registry.method("linear_probe"), "classify", given) is None
    why = misfit(registry.method("lora"), "classify", given)
    assert why is not None
    assert "blocks" in why
