"""How many bytes a saved model's numbers take: exact, whatever the machine does meanwhile."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.rows import mixed

HEADER = 1024  # bytes of a file that are no numbers, at most
LORA_BYTES = 30_000
WIDTH = 384  # of minilm
QUICK = {"backbone": "minilm", "max_length": 16, "folds": 2, "repeats": 1}
LORA = {"method": "lora", "rank": 4, "blocks": [5], "epochs": 1}


def plan(tiny: bool) -> list[Item]:
    heads = [("pang-lee", 2)] if tiny else [("pang-lee", 2), ("r8", 8), ("20newsgroups", 20)]
    found = [{"what": "head", "data": data, "classes": classes} for data, classes in heads]
    return [*found, {"what": "lora", "data": "pang-lee", "classes": 2}]


def measure(item: Item) -> dict[str, Any]:
    """Bytes of every safetensors file in the folder of a model of two or three rows a label."""
    import supertune

    own = LORA if item["what"] == "lora" else {"method": "linear_probe"}
    rows = mixed(item["data"], 3 * item["classes"])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        supertune.fit(rows, output=folder, keep_rows=False, **QUICK, **own)
        sizes = {path.name: path.stat().st_size for path in folder.rglob("*.safetensors")}
    return {"bytes": dict(sorted(sizes.items()))}


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    return [_figure(draw) for draw in draws]


def _figure(draw: Draw) -> Figure:
    if draw["what"] == "lora":
        size, most = draw["bytes"]["adapter_model.safetensors"], LORA_BYTES
        name = "LoRA r = 4 in the last block of minilm"
    else:
        size = sum(draw["bytes"].values())
        most = 4 * draw["classes"] * (WIDTH + 1) + HEADER
        name = f"head of {draw['classes']} labels on minilm"
    return Figure(name, size, size, size, "bytes", "exact", f"at most {most} bytes", size <= most)


BENCHMARK = Benchmark(
    name="saved_sizes",
    question="How large is what is saved?",
    how="Sizes of the safetensors files of a saved model. A head of C labels on d numbers may take "
    "4 C (d + 1) bytes and 1 KB for the file's own header; LoRA of rank 4 on query and value of "
    "minilm's last block 30 KB.",
    peers=(),
    plan=plan,
    measure=measure,
    figures=summarise,
)
