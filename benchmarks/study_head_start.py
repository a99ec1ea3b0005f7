"""``python -m benchmarks.study_head_start``: what the softened start of the head is worth.

The closed-form head tells few rows apart almost surely, so that training begins at a loss near 0.
Softened it begins as sure as it is of rows left out. Seeds 10 to 12 were looked at while this was
made, seeds 0 to 2 report. Resumable.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import figures, study_draw
from benchmarks.benchmark import RESULTS, Benchmark, Demands, Draw, Item, run
from benchmarks.figures import Figure
from benchmarks.study_plan import MAX_LENGTH
from supertune.errors import SupertuneError

BACKBONE = "minilm"
DATA = ("pang-lee", "bbc-news", "r8")
METHODS = ("lora", "ia3", "top_blocks")
STARTS = ("solved", "softened")
PER_CLASS, TEST_ROWS = 8, 300
DEVELOPMENT, REPORTED = (10, 11, 12), (0, 1, 2)
SMOOTHED = {"label_smoothing": 0.1}  # what cost lora 26 points on bbc-news


def plan(tiny: bool) -> list[Item]:
    """Draw after draw, one of development first."""
    if tiny:
        few = {"epochs": 1}
        return [_item("top_blocks", {"head_start": s, **few}, "pang-lee", 0, 20) for s in STARTS]
    cells = [(DEVELOPMENT[0], data) for data in DATA]
    for some in (DATA[:2], DATA[2:]):  # r8 has eight classes, and takes longest
        cells += [(seed, data) for seed in REPORTED for data in some]
    cells += [(seed, data) for seed in DEVELOPMENT[1:] for data in DATA]
    pairs = [
        _item(method, {"head_start": start}, data, seed, TEST_ROWS)
        for seed, data in cells
        for method in METHODS
        for start in STARTS
    ]
    smoothed = [
        _item("lora", {"head_start": start, **SMOOTHED}, "bbc-news", seed, TEST_ROWS)
        for seed in REPORTED
        for start in STARTS
    ]
    first = len(pairs) // 6
    return [*pairs[:first], *smoothed, *pairs[first:]]


def _item(method: str, options: dict[str, Any], data: str, seed: int, test_rows: int) -> Item:
    return {
        "method": method,
        "options": options,
        "backbone": BACKBONE,
        "data": data,
        "per_class": PER_CLASS,
        "seed": seed,
        "test_rows": test_rows,
    }


def measure(item: Item) -> dict[str, Any]:
    """Accuracy on unseen rows, first and last loss, and the processor's seconds of the fit."""
    try:
        fitted = study_draw.fit_and_answer(item, "cpu")
    except SupertuneError as error:
        return {"failed": error.code}
    losses = getattr(fitted.tuned, "losses", (0.0,))
    return {
        "accuracy": statistics.fmean(fitted.hits),
        "losses": [losses[0], losses[-1]],
        "processor_seconds": fitted.processor_seconds["fit"],
    }


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    """Softened less solved in points: over the draws that report, and over all of development."""
    told = [("development, all", DEVELOPMENT, METHODS, DATA, {})]
    told += [("all", REPORTED, METHODS, DATA, {})]
    told += [(method, REPORTED, (method,), DATA, {}) for method in METHODS]
    told += [(data, REPORTED, METHODS, (data,), {}) for data in DATA]
    told += [("lora on bbc-news, label smoothing .1", REPORTED, ("lora",), ("bbc-news",), SMOOTHED)]
    compared = [(name, _differences(draws, *cells)) for name, *cells in told]
    return [figures.paired(name, found, judged=False) for name, found in compared if found]


def _differences(
    draws: Sequence[Draw],
    seeds: Sequence[int],
    methods: Sequence[str],
    data: Sequence[str],
    options: dict[str, Any],
) -> list[float]:
    found = {
        (d["method"], d["data"], d["seed"], str(sorted(d["options"].items()))): d["accuracy"]
        for d in draws
        if "failed" not in d
    }
    pairs = [
        [
            found.get((m, s, seed, str(sorted({"head_start": start, **options}.items()))))
            for start in STARTS
        ]
        for m in methods
        for s in data
        for seed in seeds
    ]
    return [soft - hard for hard, soft in pairs if hard is not None and soft is not None]


BENCHMARK = Benchmark(
    name="minilm-cpu",
    question="Is tuning better from a head that is no surer than it is of rows left out?",
    how=f"{PER_CLASS} labelled rows a class, {TEST_ROWS} others to judge by, {BACKBONE}, texts cut "
    f"to {MAX_LENGTH} tokens; the closed-form head as it is against the same scaled down to its "
    "leave-one-out log loss. With label smoothing the head is softened anyway since; the draws "
    "with smoothing and the head as it is were made just before. Student's interval over cells of "
    "method, data and draw, which share rows, so that it is narrower than it should be. Seconds "
    "are the processor's.",
    peers=(),
    plan=plan,
    measure=measure,
    figures=summarise,
)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study_head_start")
    parser.add_argument("--budget", type=float, default=float("inf"), metavar="SECONDS")
    parser.add_argument("--out", type=Path, default=RESULTS / "study_head_start", metavar="FOLDER")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes, to try the code")
    asked = parser.parse_args(given)
    study_draw.fit_and_answer(plan(True)[0], "cpu")  # imports and weights are paid for here
    found = run(BENCHMARK, asked.out, Demands(budget=asked.budget, tiny=asked.tiny))
    for one in found["figures"]:
        print(f"{one['name']}: {one['value']:+.1f} [{one['low']:.1f}, {one['high']:.1f}]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
