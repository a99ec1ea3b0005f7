"""What a second process brings to training, and what a second thread does.

Run as a program by a launcher it is one of the processes, and the first of them prints its laps.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import figures
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.timing import ROOT, lap

ROWS, STEP, EPOCHS, LAPS = 32, 8, 1, 2
WAYS = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes": (2, 1)}


def plan(tiny: bool) -> list[Item]:
    methods = ("lora",) if tiny else ("lora", "full")
    return [{"method": name, "rows": 16 if tiny else ROWS, "repeats": 1} for name in methods]


def measure(item: Item) -> dict[str, Any]:
    laps: dict[str, list[float]] = {name: [] for name in WAYS}
    losses: dict[str, list[float]] = {}
    for round_ in range(item["repeats"]):
        for name in list(WAYS) if round_ % 2 == 0 else list(WAYS)[::-1]:
            seconds, losses[name] = _launched(*WAYS[name], item)
            laps[name] += seconds
    one, two = losses["1 process, 1 thread"], losses["2 processes"]
    apart = max(abs(a - b) / abs(a) for a, b in zip(one, two, strict=True))
    return {"seconds": laps, "losses apart": apart}


def _launched(processes: int, threads: int, item: Item) -> tuple[list[float], list[float]]:
    told = json.dumps({"method": item["method"], "rows": item["rows"]})
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)]
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "benchmarks.sharing", told],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(threads), "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["seconds"], answer["losses"]


def child(method: str, rows: int) -> dict[str, Any]:
    """Laps of training alone: rows read, lower blocks and imports warm."""
    from benchmarks.rows import mixed
    from supertune import pipeline
    from supertune.config import method_options, recipe
    from supertune.pipeline import Workshop
    from supertune.registry import method as named
    from supertune.training import fitting, processes

    settled = processes.join(
        recipe(
            {"backbone": "minilm", "method": method, "precision": "fp32", "batch_size": STEP}
            # A solved head leaves losses of 1e-4, of which float32 has three digits.
            | {
                "epochs": EPOCHS,
                "head_start": "zero",
                **({"blocks": "all"} if method == "lora" else {}),
            }
        )
    )
    workshop = Workshop(settled)
    examples = pipeline.labelled(pipeline.read(mixed("r8", rows), settled).train)
    problem = workshop.problem(examples, "minilm")
    options = method_options(settled, method)
    found: list[Any] = []

    def once() -> None:
        found.append(fitting.fit(named(method), problem, options))

    once()
    return {"seconds": [lap(once) for _ in range(LAPS)], "losses": list(found[-1].losses)}


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in draws:
        seconds, method = draw["seconds"], draw["method"]
        alone = seconds["1 process, 1 thread"]
        for name in list(WAYS)[1:]:
            ratios = [a / b for a, b in zip(alone, seconds[name], strict=True)]
            found.append(
                figures.median(f"{method}: {name} against 1 process, 1 thread", ratios, "x")
            )
        apart = [draw["losses apart"]]
        title = f"{method}: losses of 2 processes, relative distance"
        found.append(figures.median(title, apart, "", at_most=1e-5))
    return found


BENCHMARK = Benchmark(
    name="sharing",
    question="What does a second process bring to training, and what a second thread?",
    how=f"Training alone ({EPOCHS} epoch of {ROWS} texts of r8 in steps of {STEP}, minilm, all "
    "blocks, the head from zero, fp32), processes started by torch's launcher and met over gloo on "
    "one machine of two cores.",
    peers=("accelerate",),
    plan=plan,
    measure=measure,
    figures=summarise,
)

if __name__ == "__main__":
    told = child(**json.loads(sys.argv[1]))
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps(told))
