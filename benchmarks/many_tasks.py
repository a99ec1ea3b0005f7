"""200 small tasks over one backbone: one after another, and by workers of Ray, one killed."""

from __future__ import annotations

import csv
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import figures
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.rows import mixed
from benchmarks.timing import lap

ROWS, WORKERS = 40, 2
OPTIONS: dict[str, Any] = {
    "method": "linear_probe",
    "backbone": "minilm",
    "threads": 1,
    "advice": False,
    "repeats": 1,
}


def plan(tiny: bool) -> list[Item]:
    return [{"tasks": 2 if tiny else 200, "rows": ROWS}]


def measure(item: Item) -> dict[str, Any]:
    """Seconds of each way with an empty cache of activations, and whether the models are equal."""
    import supertune
    from benchmarks.supertune_side import own_cache

    with tempfile.TemporaryDirectory() as place:
        files = _files(Path(place), item["tasks"])
        told: dict[str, list[Any]] = {}
        seconds: dict[str, float] = {}
        for way, extra in {"one after another": {}, "ray": {"ray": "local"}}.items():
            killer = threading.Thread(target=_kill_one, args=(0.5 * sum(seconds.values()) / 2,))
            if extra:
                killer.start()
                extra = {**extra, "workers": WORKERS}
            with own_cache():

                def run(way: str = way, extra: dict[str, Any] = extra) -> None:
                    folder = Path(place) / way.replace(" ", "-")
                    told[way] = supertune.fit_many(files, folder, **extra, **OPTIONS)

                seconds[way] = lap(run)
            if extra:
                killer.join()
        numbers = {way: [_numbers(one) for one in found] for way, found in told.items()}
    pairs = zip(*numbers.values(), strict=True)
    fitted = {way: sum(map(bool, found)) for way, found in numbers.items()}
    # What neither of them has is not the same: an empty task once was, a hundred times.
    return {"seconds": seconds, "fitted": fitted, "same": sum(a == b != {} for a, b in pairs)}


def _files(place: Path, count: int) -> list[Path]:
    """Tasks of rows of their own, no row in two."""
    rows = _rows(ROWS * count)
    found = []
    for number in range(count):
        path = place / f"task{number:03}.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "label"])
            writer.writerows(rows[number * ROWS : (number + 1) * ROWS])
        found.append(path)
    return found


def _rows(count: int) -> list[tuple[str, str]]:
    """Film review sentences, good and bad in turn. There are 4,000; beyond these the first half of
    one before the second half of the next of its label."""
    rows = mixed("pang-lee", count)
    split = [(text.split(), label) for text, label in rows]
    for step in range(2, len(rows), 2):
        for (first, label), (second, _) in zip(split, split[step:], strict=False):
            if len(rows) == count:
                break
            rows.append((" ".join(first[: len(first) // 2] + second[len(second) // 2 :]), label))
    assert len({text for text, _ in rows}) == count
    return rows


def _numbers(outcome: Any) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(outcome.folder).glob("*.safetensors")}


def _kill_one(after: float) -> None:
    """A worker in the middle of the run."""
    import psutil

    time.sleep(after)
    until = time.monotonic() + 300
    while time.monotonic() < until:
        for worker in psutil.Process().children(recursive=True):
            if worker.is_running() and "ray::_one" in " ".join(worker.cmdline()):
                worker.kill()
                return
        time.sleep(0.05)


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in draws:
        seconds, count = draw["seconds"], draw["tasks"]
        alone, spread = seconds["one after another"], seconds["ray"]
        title = f"{count} tasks of {ROWS} rows"
        found += [
            figures.median(f"{title}, one after another, a task", [alone / count], "s"),
            figures.median(
                f"{title}: {WORKERS} workers, one of them killed, against one process",
                [alone / spread],
                "x",
            ),
            figures.median(
                f"{title}: models equal to the byte", [draw["same"]], "models", at_least=count
            ),
            figures.median(
                f"{title}: fitted in spite of the kill",
                [draw["fitted"]["ray"]],
                "models",
                at_least=count,
            ),
        ]
    return found


BENCHMARK = Benchmark(
    name="many_tasks",
    question="What do workers bring to many small tasks, and is anything lost when one dies?",
    how="`supertune.fit_many` of `linear_probe` on minilm with its report, one thread a process, "
    f"caches of activations empty; {ROWS} film review sentences a task, none in two (beyond the "
    "4,000 there are, halves of two of one label). In the middle of the run of Ray's local cluster "
    "a worker is killed.",
    peers=("ray",),
    plan=plan,
    measure=measure,
    figures=summarise,
)
