"""Many short texts: throughput beside sentence-transformers' encode, and memory by their number."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import figures, rows, supertune_side
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.timing import Laps, in_child, interleaved, lap

OURS = {"supertune": "fp32", "supertune, bf16": "bf16"}
FEW, MANY = 2_000, 20_000


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [
            {"what": "throughput", "texts": 40, "repeats": 1},
            {"what": "memory", "texts": [20, 40]},
        ]
    return [
        {"what": "throughput", "texts": FEW, "repeats": 5},
        {"what": "memory", "texts": [FEW, MANY]},
        {"what": "throughput", "texts": MANY, "repeats": 5},
    ]


def measure(item: Item) -> dict[str, Any]:
    return _memory(item["texts"]) if item["what"] == "memory" else _throughput(item)


def _throughput(item: Item) -> dict[str, Any]:
    from sentence_transformers import SentenceTransformer

    import supertune

    texts = rows.sentences(item["texts"])
    peer = SentenceTransformer(str(supertune_side.folder()), device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        file = rows.write_texts(Path(folder) / "many.csv", texts)
        models = {
            name: supertune.load(fitted(Path(folder) / precision, precision))
            for name, precision in OURS.items()
        }

        def ours() -> Laps:
            return {name: lap(lambda one=model: answer(one)) for name, model in models.items()}

        def answer(model: Any) -> None:
            model.predict(["Something else, so that no answer is remembered."])
            assert sum(len(part) for _, part in model.stream(file)) == len(texts)

        peer.encode(texts[:64], show_progress_bar=False)
        for model in models.values():
            model.predict(texts[:64])
        laps = interleaved(
            {
                "supertune": ours,
                "encode": lambda: {
                    "sentence-transformers": lap(
                        lambda: peer.encode(texts, show_progress_bar=False)
                    )
                },
            },
            item["repeats"],
            warm=0,
        )
    return {"seconds": laps}


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
    theirs, found = draw["seconds"]["sentence-transformers"], []
    for name, at_least in (("supertune", 1), ("supertune, bf16", 3)):
        if name not in draw["seconds"]:
            continue
        ours, about = draw["seconds"][name], f"{draw['texts']:,} texts, {OURS[name]}"
        ratios = figures.ratios(theirs, ours)
        found.append(figures.median(f"{about}: throughput, ours / theirs", ratios, "x",
                                    at_least=at_least))  # fmt: skip
        rate = [draw["texts"] / one for one in ours]
        found.append(figures.median(f"{about}: ours", rate, "texts a second"))
    return found


BENCHMARK = Benchmark(
    name="predict",
    question="How fast are many short texts answered, and does memory stay flat?",
    how="Film review sentences. Throughput, in process, models loaded, same weights: "
    "ours, in fp32 and in bf16, reads a csv file window by window, encodes and answers; theirs is "
    "SentenceTransformer.encode in float32 on the list of texts, which it sorts by length. "
    "Memory: `supertune predict` from csv to csv, a fresh process each, imports included.",
    peers=("sentence-transformers",),
    plan=plan,
    measure=measure,
    figures=summarise,
)
