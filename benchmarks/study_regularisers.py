"""``python -m benchmarks.study_regularisers``: what each regulariser of the loop is worth.

Each against the same method with its defaults, on the same rows and from the same seed.
Resumable: each draw is saved as it comes, and what is there is not measured again.
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
from benchmarks.study_figures import name
from benchmarks.study_plan import MAX_LENGTH, defaults, outdated
from supertune.errors import SupertuneError

BACKBONE = "minilm"
DATA = ("pang-lee", "bbc-news")
PER_CLASS = 8
TEST_ROWS = 300
DRAWS = 3

_ANY: tuple[dict[str, Any], ...] = (
    {"dropout": 0.1},
    {"early_stopping": 0.2},
    {"seeds": 3},
)
_BLOCKS: tuple[dict[str, Any], ...] = ({"layer_decay": 0.8},)  # where several are tuned
_ANSWER: tuple[dict[str, Any], ...] = (  # where the head is trained along
    {"dropout": 0.1, "r_drop": 1.0},
    {"label_smoothing": 0.1},
    {"head_start": "zero"},
)
VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "lora": (*_ANY, *_BLOCKS, *_ANSWER),
    "contrastive": (*_ANY, *_BLOCKS),
    "top_blocks": (*_ANY, *_ANSWER),
}


def plan(tiny: bool) -> list[Item]:
    """Draw after draw, so that what is there can be compared whenever the run ends."""
    if tiny:
        asked: tuple[dict[str, Any], ...] = ({}, {"label_smoothing": 0.1})
        few = [{**each, "epochs": 1} for each in asked]
        return [_item("top_blocks", options, "pang-lee", 4, 0, 20) for options in few]
    return [
        _item(method, options, data, PER_CLASS, seed, TEST_ROWS)
        for seed in range(DRAWS)
        for data in DATA
        for method, variants in VARIANTS.items()
        for options in ({}, *variants)
    ]


def _item(
    method: str, options: dict[str, Any], data: str, per_class: int, seed: int, test_rows: int
) -> Item:
    return {
        "method": method,
        "options": options,
        "backbone": BACKBONE,
        "data": data,
        "per_class": per_class,
        "seed": seed,
        "test_rows": test_rows,
    }


def measure(item: Item) -> dict[str, Any]:
    """Accuracy on unseen rows and the processor's seconds of the fit, as the machine may be busy;
    or the failure, which is a result too."""
    told = {"defaults": defaults(item["method"])}
    try:
        fitted = study_draw.fit_and_answer(item, "cpu")
    except SupertuneError as error:
        return {"failed": error.code, **told}
    return {
        "accuracy": statistics.fmean(fitted.hits),
        "processor_seconds": fitted.processor_seconds,
        **told,
    }


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    """For each method and regulariser the difference to the defaults, in points."""
    found = {_key(draw): draw["accuracy"] for draw in draws if "failed" not in draw}
    compared = [
        (method, options)
        for method, variants in VARIANTS.items()
        for options in variants
        if _differences(found, method, options)
    ]
    return [
        figures.paired(
            name({"method": method, "options": options}),
            _differences(found, method, options),
            judged=False,
        )
        for method, options in compared
    ]


_Key = tuple[str, str, str, int]


def _key(draw: Draw) -> _Key:
    return draw["method"], str(sorted(draw["options"].items())), draw["data"], draw["seed"]


def _differences(found: dict[_Key, float], method: str, options: dict[str, Any]) -> list[float]:
    wanted = str(sorted(options.items()))
    return [
        found[method, wanted, data, seed] - found[method, "[]", data, seed]
        for data in DATA
        for seed in range(DRAWS)
        if (method, wanted, data, seed) in found and (method, "[]", data, seed) in found
    ]


BENCHMARK = Benchmark(
    name="minilm-cpu",
    question="Is a regulariser better than the defaults on a few labelled rows?",
    how=f"{PER_CLASS} labelled rows a class, {TEST_ROWS} others to judge by, texts cut to "
    f"{MAX_LENGTH} tokens, one option changed at a time; the seed draws the rows and starts the "
    "method. The interval is Student's over draws of both data sets. Seconds are the processor's.",
    peers=(),
    plan=plan,
    measure=measure,
    figures=summarise,
)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study_regularisers", description=__doc__
    )
    parser.add_argument("--budget", type=float, default=float("inf"), metavar="SECONDS")
    parser.add_argument(
        "--out", type=Path, default=RESULTS / "study_regularisers", metavar="FOLDER"
    )
    parser.add_argument("--tiny", action="store_true", help="smallest sizes, to try the code")
    asked = parser.parse_args(given)
    study_draw.fit_and_answer(plan(True)[0], "cpu")  # imports and weights are paid for here
    demands = Demands(budget=asked.budget, tiny=asked.tiny, keep=lambda draw: not outdated(draw))
    found = run(BENCHMARK, asked.out, demands)
    for one in found["figures"]:
        print(f"{one['name']}: {one['value']:+.1f} [{one['low']:.1f}, {one['high']:.1f}]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
