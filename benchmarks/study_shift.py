"""``python -m benchmarks.study_shift``: does what is tuned hold on rows from elsewhere?

Fitted on few rows of one set of opinions, judged on others of that set and on rows of another
language: the linear head, LoRA from the solved head and from nothing, and half of the way there.
Resumable: each draw is saved as it comes.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.pools import Pool, pool
from supertune import pipeline
from supertune.config import recipe
from supertune.contracts import Examples
from supertune.pipeline import Candidate

BACKBONE, MAX_LENGTH, POOL = "e5-small", 32, 400
ROWS, JUDGED, DRAWS = 32, 150, 3
PAIRS = (("pang-lee", "amazon-fr"), ("amazon-fr", "pang-lee"))
MOST_LOST = 1.0  # points, against the linear head on the shifted rows
PROBE = "linear_probe"
_LORA: dict[str, Any] = {"epochs": 8}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    PROBE: (PROBE, {}),
    "lora from zero": ("lora", {**_LORA, "head_start": "zero"}),
    "lora from the solved head": ("lora", _LORA),
    "half of the way": ("lora", {**_LORA, "interpolation": 0.5}),
}
_HOW = (
    f"{ROWS} labelled opinions, {BACKBONE}, texts cut to {MAX_LENGTH} tokens, {JUDGED} unseen "
    "rows of the same set and as many of a set in another language; LoRA for 8 epochs, otherwise "
    "defaults. Points are accuracy against the linear head fitted on the same rows and judged on "
    "the same; means over draws and both directions, with Student's 95 % interval over the draws."
)


def plan(tiny: bool) -> list[Item]:
    """Draw after draw."""
    if tiny:
        return [{"source": "pang-lee", "shifted": "amazon-fr", "seed": 0, "judged": 10}]
    return [
        {"source": source, "shifted": shifted, "seed": seed, "judged": JUDGED}
        for seed in range(DRAWS)
        for source, shifted in PAIRS
    ]


@cache
def _pool(data: str) -> Pool:
    settled = recipe({"backbone": BACKBONE, "max_length": MAX_LENGTH, "device": "cpu"})
    return pool(data, settled, rows=POOL)


def measure(item: Item) -> dict[str, Any]:
    """Accuracy of each variant on both sides."""
    here, there = _pool(item["source"]), _pool(item["shifted"])
    train, others = here.draw(ROWS, item["seed"])
    judged = there.draw(ROWS, item["seed"])[1][: item["judged"]]
    sides = {
        "source": here.examples.take(others[: item["judged"]]),
        "shifted": there.examples.take(judged),
    }
    examples = here.examples.take(train)
    found = {}
    for name, (method, options) in VARIANTS.items():
        workshop = here.workshop
        workshop.recipe = workshop.recipe.model_copy(
            update={"method": method, "seed": item["seed"], "options": options}
        )
        tuned = pipeline.tune(workshop, Candidate(BACKBONE, method), examples)
        lens = workshop.lens(BACKBONE)
        found[name] = {
            side: _accuracy(tuned.logits(rows.inputs, lens), examples.labels, rows)
            for side, rows in sides.items()
        }
    return {"accuracy": found}


def _accuracy(logits: Any, labels: tuple[str, ...], rows: Examples) -> float:
    assert rows.targets is not None
    answers = [labels[i] for i in np.argmax(logits, axis=1)]
    truth = [rows.labels[i] for i in rows.targets]
    return statistics.fmean(a == b for a, b in zip(answers, truth, strict=True))


def figures(draws: Sequence[Draw]) -> list[Figure]:
    """Points against the linear head, on both sides."""
    good = [draw for draw in draws if "failed" not in draw]
    if not good:
        return []
    made = []
    for side in ("shifted", "source"):
        for name in VARIANTS:
            if name == PROBE:
                continue
            gaps = _gaps(good, name, side)
            mean, half = statistics.fmean(gaps), _half(gaps)
            target, met = "", None
            if side == "shifted" and name == "half of the way":
                target, met = f"at least -{MOST_LOST:g} points", mean >= -MOST_LOST
            made.append(
                Figure(
                    f"{name}, {side} rows, against the linear head", mean, mean - half, mean + half,
                    "points", f"95 % over {len(gaps)} draws", target, met,
                )
            )  # fmt: skip
    return [*made, *_means(good)]


def _gaps(draws: Sequence[Draw], name: str, side: str) -> list[float]:
    return [100 * (draw["accuracy"][name][side] - draw["accuracy"][PROBE][side]) for draw in draws]


def _half(values: Sequence[float]) -> float:
    """Half of Student's interval."""
    from scipy.special import stdtrit

    if len(values) < 2:
        return float("inf")
    spread = statistics.stdev(values) / len(values) ** 0.5
    return float(stdtrit(len(values) - 1, 0.975)) * spread


def _means(draws: Sequence[Draw]) -> list[Figure]:
    by_pair: Mapping[str, list[float]] = defaultdict(list)
    for draw in draws:
        for name, sides in draw["accuracy"].items():
            pair = f"{draw['source']} to {draw['shifted']}"
            by_pair[f"accuracy on {pair}: {name}"].append(sides["shifted"])
    return [
        Figure(name, statistics.fmean(v), min(v), max(v), "of 1", f"extremes of {len(v)} draws")
        for name, v in by_pair.items()
    ]


def study() -> Benchmark:
    return Benchmark(
        name="study_shift",
        question="Does what is tuned hold on rows from elsewhere?",
        how=_HOW,
        peers=(),
        plan=plan,
        measure=measure,
        figures=figures,
    )


if __name__ == "__main__":
    sys.exit(study_command.main(study()))
