"""What two workers of Ray bring to the rows of a file and to the folds of a fit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks import figures
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.rows import mixed, sentences, write_texts
from benchmarks.timing import lap

WORKERS, WORDS = 2, 8
SLICE = 4096
READY = 1.5  # times as fast at least by two workers that need not be started
KEYS: dict[str, Any] = {"backbone": "minilm", "threads": 1, "advice": False}


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [{"what": "rows", "count": 600, "repeats": 1}]
    return [
        {"what": "rows", "count": 4 * SLICE, "repeats": 1},
        {"what": "folds", "count": 10, "repeats": 1},
    ]


def measure(item: Item) -> dict[str, Any]:
    """Seconds of one process, of workers that are started first, and of workers that are there and
    have opened the backbone."""
    from supertune.api.cluster import cluster

    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        work = {"rows": _rows, "folds": _folds}[item["what"]](Path(place), item["count"])
        work(None)  # imports, and what is frozen, once for all

        def timed(name: str, ray: str | None) -> None:
            seconds.setdefault(name, []).append(lap(lambda: work(ray)))

        for _ in range(item["repeats"]):
            timed("one process", None)
            timed("workers, started first", "local")
            with cluster("local", WORKERS):
                work("local")
                timed("workers, ready", "local")
    return {"seconds": seconds}


def _rows(place: Path, count: int) -> Callable[[str | None], None]:
    import supertune

    model, slices = place / "model", min(SLICE, count // 2)
    # By turns, since a backbone keeps what it answered last.
    sources = cycle([_written(place / f"{word}.csv", word, count) for word in ("once", "twice")])
    supertune.fit(mixed("pang-lee", 64), method="linear_probe", output=model, **KEYS)

    def work(ray: str | None) -> None:
        how: dict[str, Any] = {"ray": ray, "workers": _workers(ray), "overwrite": True}
        out = place / "out.csv"
        supertune.predict_file(model, next(sources), out, window=slices, threads=1, **how)

    return work


def _written(path: Path, word: str, count: int) -> Path:
    texts = (" ".join([*text.split()[: WORDS - 1], word]) for text in sentences(count))
    return write_texts(path, list(texts))


def _folds(place: Path, count: int) -> Callable[[str | None], None]:
    import supertune

    keys = {**KEYS, "method": "lora", "folds": count, "repeats": 1, "max_candidates": 1}

    def work(ray: str | None) -> None:
        supertune.fit(mixed("pang-lee", 96), ray=ray, workers=_workers(ray), **keys)

    return work


def _workers(ray: str | None) -> int | None:
    return None if ray is None else WORKERS


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in draws:
        seconds = draw["seconds"]
        alone = seconds["one process"]
        title = f"{draw['count']:,} {draw['what']}"
        found.append(figures.median(f"{title}: one process", alone, "s"))
        for name in list(seconds)[1:]:
            pairs = zip(alone, seconds[name], strict=True)
            ratios = [one / spread for one, spread in pairs]
            least = READY if name == "workers, ready" else None
            called = f"{title}: {WORKERS} {name}, against one"
            found.append(figures.median(called, ratios, "x", at_least=least))
    return found


BENCHMARK = Benchmark(
    name="workers",
    question="What do workers bring to a large file, and to the folds of one fit?",
    how=f"Rows: `supertune.predict_file` of `linear_probe` on minilm, {WORDS} words a text, slices "
    f"of {SLICE}. Folds: `supertune.fit` of `lora` on minilm with its report, 96 film review "
    "sentences, activations kept on disk by an earlier fit. One thread a process. Ray's "
    "workers count among the others that used the machine.",
    peers=("ray",),
    plan=plan,
    measure=measure,
    figures=summarise,
)
