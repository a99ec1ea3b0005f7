"""``python -m benchmarks.study_vision``: what `auto` makes of a few labelled pictures.

Judged on all pictures of a set that were not drawn to learn from, at most 500. Resumable.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, mean
from supertune import choose, pipeline
from supertune.catalogue.corpora import few_shot
from supertune.config import recipe
from supertune.pipeline import Workshop

DRAWS, TEST_ROWS = 5, 500
LIMIT = 60.0  # seconds of a processor with one thread, since other programs may run beside it
# Labels a class, and the accuracy in percent to reach.
CELLS = {
    "tux-stamps": (5, 82.0),
    "fashion-mnist": (10, 73.0),
    "mnist-5k": (10, 82.0),
    "emoji": (10, 60.0),
}
_HOW = (
    "So many labels a class are drawn, 5 times; `auto` chooses by cross-validation over them alone "
    f"and within {LIMIT:g} s of one thread, and the model is judged on all other pictures, at most "
    f"{TEST_ROWS:,}."
)


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [{"data": "tux-stamps", "per_class": 2, "seed": 0, "test_rows": 20}]
    return [
        {"data": data, "per_class": count, "seed": seed, "test_rows": TEST_ROWS}
        for seed in range(DRAWS)
        for data, (count, _) in CELLS.items()
    ]


def measure(item: Item) -> dict[str, Any]:
    train, test = few_shot(
        item["data"],
        per_class=item["per_class"],
        test_rows=item["test_rows"],
        seed=item["seed"],
    )
    settled = recipe({"task": "image_classification", "time_limit": LIMIT, "seed": item["seed"]})
    examples = pipeline.labelled(pipeline.read(train, settled).train)
    workshop = Workshop(settled)
    start = time.process_time()
    decision = choose.decide(
        workshop,
        choose.candidates(workshop, examples),
        examples,
        start + LIMIT,
        test=None,
        clock=time.process_time,
    )
    tuned = pipeline.tune(workshop, decision.candidate, examples)
    spent = time.process_time() - start
    lens = workshop.lens(decision.candidate.backbone)
    logits = tuned.logits([picture for picture, _ in test], lens)
    found = [examples.labels[place] for place in np.argmax(logits, axis=1)]
    hits = [answer == label for answer, (_, label) in zip(found, test, strict=True)]
    assert decision.choice is not None
    estimate = decision.choice.estimate
    return {
        "accuracy": statistics.fmean(hits),
        "judged_on": len(test),
        "chosen": [decision.candidate.backbone, decision.candidate.method],
        "estimate": estimate.value,
        "interval": [estimate.low, estimate.high],
        "processor_seconds": spent,
        "candidates": {str(one.candidate): [one.status, one.seconds] for one in decision.entries},
    }


def figures(draws: Sequence[Draw]) -> list[Figure]:
    """The mean of each set with its interval over draws, and whether the printed intervals held."""
    by_set: dict[str, list[Draw]] = defaultdict(list)
    for draw in draws:
        by_set[draw["data"]].append(draw)
    found = []
    for data, (count, aim) in CELLS.items():
        own = by_set.get(data, [])
        if not own:
            continue
        values = [100 * draw["accuracy"] for draw in own]
        rows = round(statistics.fmean(draw["judged_on"] for draw in own))
        name = f"{data}, {count} a class: accuracy on {rows:,} others"
        found.append(mean(name, values, "%", at_least=aim))
    if draws:
        held = [d["interval"][0] <= d["accuracy"] <= d["interval"][1] for d in draws]
        share = 100 * statistics.fmean(held)
        found.append(
            Figure(
                "printed intervals that hold the accuracy", share, share, share, "%",
                f"{len(held)} draws",
            )
        )  # fmt: skip
    return found


STUDY = Benchmark(
    name="study_vision",
    question="How many of a few labelled pictures' kinds does auto tell apart?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
