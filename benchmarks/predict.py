"""Many short texts: throughput beside sentence-transformers' encode, and memory by their number."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import figures, rows, supertune_side
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.int8_side import Int8Encoder
from benchmarks.timing import Laps, in_child, interleaved, processor_lap

OURS = {"supertune": "fp32", "supertune, bf16": "bf16"}
SENTENCES, SKEWED = "pang-lee", "r8"  # short, and of very unequal length
FEW, MANY = 2_000, 20_000
PEER, INT8 = "sentence-transformers", "ONNX Runtime, int8"


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [
            {"what": "throughput", "of": SENTENCES, "texts": 40, "repeats": 1},
            {"what": "memory", "texts": [20, 40]},
        ]
    shape = {"what": "throughput", "texts": FEW, "repeats": 1}
    return [
        {**shape, "of": SKEWED},
        {"what": "memory", "texts": [FEW, MANY]},
        {**shape, "of": SENTENCES},
    ]


def measure(item: Item) -> dict[str, Any]:
    return _memory(item["texts"]) if item["what"] == "memory" else _throughput(item)


def _throughput(item: Item) -> dict[str, Any]:
    from sentence_transformers import SentenceTransformer

    import supertune

    texts = _texts(item)
    peer = SentenceTransformer(str(supertune_side.folder()), device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        file = rows.write_texts(Path(folder) / "many.csv", texts)
        int8 = Int8Encoder(Path(folder))
        models = {
            name: supertune.load(fitted(Path(folder) / precision, precision))
            for name, precision in OURS.items()
        }

        def ours() -> Laps:
            return {
                name: processor_lap(lambda one=model: answer(one)) for name, model in models.items()
            }

        def answer(model: Any) -> None:
            model.predict(["Something else, so that no answer is remembered."])
            assert sum(len(part) for _, part in model.stream(file)) == len(texts)

        def encode(some: Sequence[str]) -> Any:
            return peer.encode(list(some), show_progress_bar=False)

        far = _far(encode(texts[:64]), int8.encode(texts[:64]))
        for model in models.values():
            model.predict(texts[:64])
        contestants = {
            "supertune": ours,
            "encode": lambda: {PEER: processor_lap(lambda: encode(texts))},
            "int8": lambda: {INT8: processor_lap(lambda: int8.encode(texts))},
        }
        laps = interleaved(contestants, item["repeats"], warm=0)
    return {"seconds": laps, "int8 is off by": far}


def _texts(item: Item) -> list[str]:
    if item["of"] == SENTENCES:
        return rows.sentences(item["texts"])
    return rows.texts(item["of"], item["texts"])


def _far(exact: Any, rough: Any) -> float:
    """1 - the mean cosine."""
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(rough, axis=1)
    return float(1 - ((exact * rough).sum(axis=1) / lengths).mean())


def fitted(folder: Path, precision: str = "fp32") -> Path:
    """A model folder to predict with."""

    train = rows.mixed("pang-lee", 16)
    folder.mkdir(exist_ok=True)
    with supertune_side.own_cache():
        model = supertune_side.whole_fit(train, precision)
        return model.save(folder / "model")


def _memory(numbers: Sequence[int]) -> dict[str, Any]:
    peaks: dict[str, list[int]] = {}
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model = fitted(place)
        for number in numbers:
            file = rows.write_texts(place / f"{number}.csv", rows.sentences(number))
            found = in_child(
                "benchmarks.predict:command",
                model=str(model),
                source=str(file),
                output=str(place / f"{number}-answers.csv"),
            )
            peaks[str(number)] = [found["peak_memory_bytes"]]
            seconds[str(number)] = [found["result"]]
    return {"peak_memory_bytes": peaks, "seconds": seconds}


def command(model: str, source: str, output: str) -> float:
    """``supertune predict`` as a person calls it, in the process that measures itself."""
    from supertune.cli.main import main

    started = time.perf_counter()
    code = main(["predict", model, source, "-o", output, "--quiet"])
    assert code == 0, code
    return time.perf_counter() - started


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found: list[Figure] = []
    for draw in draws:
        if draw["what"] == "throughput":
            found += _throughputs(draw)
        else:
            (few, small), (many, large) = draw["peak_memory_bytes"].items()
            name = f"peak memory for {int(many):,} texts / for {int(few):,}"
            found.append(figures.median(name, figures.ratios(large, small), "x", at_most=1.15))
            peak = [one / 2**20 for one in large]
            found.append(figures.median(f"peak memory for {int(many):,} texts", peak, "MiB"))
    return found


def _throughputs(draw: Draw) -> list[Figure]:
    found = []
    for name, promised in (("supertune", (1, None)), ("supertune, bf16", (3, 1))):
        ours, about = draw["seconds"][name], f"{draw['texts']:,} of {draw['of']}, {OURS[name]}"
        for peer, at_least in zip((PEER, INT8), promised, strict=True):
            ratios = figures.ratios(draw["seconds"][peer], ours)
            title = f"{about}: throughput, ours / {peer}"
            found.append(figures.median(title, ratios, "x", at_least=at_least))
        rate = [draw["texts"] / one for one in ours]
        found.append(figures.median(f"{about}: ours", rate, "texts a second"))
    return found


BENCHMARK = Benchmark(
    name="predict",
    question="How fast are many short texts answered, and does memory stay flat?",
    how="Film review sentences, and R8 for unequal lengths (256 tokens at most). Throughput, in "
    "process, models loaded, same weights: ours, in fp32 and in bf16, reads a csv file window by "
    "window, encodes and answers; theirs is SentenceTransformer.encode in float32 on the list of "
    "texts, which it sorts by length, and ONNX Runtime over the same encoder quantised to int8, "
    "whose vectors are off by what each draw says (1 - cosine). Processor time, since other "
    "programs may have run meanwhile. Memory: `supertune predict` from csv to csv, a fresh process "
    "each, imports included.",
    peers=("sentence-transformers", "onnx", "onnxruntime"),
    plan=plan,
    measure=measure,
    figures=summarise,
)
