"""The same weights on the same texts by other engines: onnxruntime and Keras beside torch."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import figures, rows
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.timing import interleaved, processor_lap
from supertune.contracts import Encoding

MODEL = "minilm"
TORCH, ONNX, KERAS = "torch", "onnxruntime", "Keras"
# TensorFlow is no part of the extra `bench`: without it Keras is left out.
_HERE = importlib.util.find_spec("tensorflow") is not None
READ = Encoding(max_length=256)


def plan(tiny: bool) -> list[Item]:
    here = [TORCH, ONNX, *([KERAS] if _HERE else [])]
    if tiny:
        return [{"of": "pang-lee", "texts": 8, "repeats": 1, "engines": here}]
    shape = {"repeats": 2, "engines": here}
    return [{"of": "pang-lee", "texts": 200, **shape}, {"of": "r8", "texts": 60, **shape}]


def measure(item: Item) -> dict[str, Any]:
    from supertune.opening import engine_of, reference

    texts = rows.texts(item["of"], item["texts"])
    with tempfile.TemporaryDirectory() as folder:
        places = {
            name: str(_MADE[name](Path(folder) / name)) if name in _MADE else MODEL
            for name in item["engines"]
        }
        opened = {
            name: engine_of(where).open(reference(where), device="cpu", threads=1)
            for name, where in places.items()
        }
        vectors = {name: _vectors(one, texts) for name, one in opened.items()}
        laps = interleaved(
            {
                name: lambda name=name, one=one: {name: processor_lap(lambda: _vectors(one, texts))}
                for name, one in opened.items()
            },
            item["repeats"],
            warm=0,
        )
    apart = {
        name: float(np.abs(vectors[TORCH] - found).max())
        for name, found in vectors.items()
        if name != TORCH
    }
    return {"seconds": laps, "largest difference": apart}


def _graph(folder: Path) -> Path:
    """The model as one ONNX file that gives its vectors, with its tokenizer."""
    import shutil

    from supertune.backbones.transformers import onnx_graph
    from supertune.opening import engine_of, reference

    folder.mkdir()
    ref = reference(MODEL)
    assert ref.folder is not None
    offer = engine_of(MODEL).offers(ref)
    head = np.zeros((1, offer.width), np.float32), np.zeros(1, np.float32)
    onnx_graph.write_onnx(ref, offer, READ, head, None, folder / "model.onnx")
    shutil.copyfile(ref.folder / "tokenizer.json", folder / "tokenizer.json")
    return folder


def _keras(folder: Path) -> Path:
    """The model of plain Keras layers."""
    from supertune.backbones.keras.converting import convert
    from supertune.opening import reference

    source = reference(MODEL).folder
    assert source is not None
    return convert(source, folder)


_MADE = {ONNX: _graph, KERAS: _keras}


def _vectors(backbone: Any, texts: Sequence[str]) -> Any:
    return backbone.features(backbone.tokens(texts, READ), READ, exact=False)


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in draws:
        about = f"{draw['texts']} of {draw['of']}"
        seconds = draw["seconds"]
        for name in (one for one in seconds if one != TORCH):
            ratios = figures.ratios(seconds[TORCH], seconds[name])
            said = f"{about}: processor time, {TORCH} / {name}"
            found.append(figures.median(said, ratios, "x"))
            rate = [draw["texts"] / one for one in seconds[name]]
            found.append(figures.median(f"{about}: {name}", rate, "texts a second"))
            apart = f"{about}: largest difference of a vector's numbers, {name}"
            gaps = [draw["largest difference"][name]]
            found.append(figures.median(apart, gaps, "", at_most=1e-4))
    return found


BENCHMARK = Benchmark(
    name="engines",
    question="What does another engine take for the same vectors of the same texts?",
    how="minilm's frozen features of film review sentences, and of R8 for unequal lengths (256 "
    "tokens at most), in process, models loaded, one thread, fp32: our torch engine, which packs "
    "rows of unequal length, our engine for ONNX files on the graph that we export, and our engine "
    "for Keras on the model of plain Keras layers that our converter makes. Processor "
    "time, since other programs may have run meanwhile.",
    peers=("onnxruntime", *(["keras"] if _HERE else [])),
    plan=plan,
    measure=measure,
    figures=summarise,
)
