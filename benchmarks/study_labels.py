"""``python -m benchmarks.study_labels``: how many labels a choice of rows saves against chance.

From an unlabelled pool, 8 rows at a time are chosen and get their labels, from none on; a linear
head on all that is labelled is judged on other rows each time. A choice's labels for an accuracy
are read off its mean curve. Resumable: each cell is saved as it comes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.benchmark import RESULTS, Benchmark, Demands, Draw, Item, run
from benchmarks.figures import Figure
from benchmarks.label_strategies import STRATEGIES, Strategy, View
from benchmarks.pools import pool
from supertune import registry
from supertune.config import recipe
from supertune.contracts import FloatArray, HeadSpec, IntArray
from supertune.labelling.selection import Space
from supertune.methods.linear_probe import LinearProbeOptions, solve

# Data set: its backbone, and how many rows are in the pool; BBC news has 2,125 in all.
SETS = {
    "pang-lee": ("e5-small", 2000),
    "bbc-news": ("minilm", 1100),
    "r8": ("minilm", 2000),
    "20newsgroups": ("minilm", 2000),
}
ROWS, TESTED, MAX_LENGTH = 4000, 2000, 64
BATCH, LEAST, MOST = 8, 16, 128
REACH = 160  # labels that are given, so that up to 1.25 times as many as chance needs are seen
DRAWS = range(10, 20)  # constants were chosen on draws 0 to 6
MEAN, WORST = 0.7, 1.1
OURS, CHANCE = "supertune", "random"
_HOW = (
    f"Pools of 2,000 rows (BBC news 1,100), at least 1,000 others to judge by, texts cut to "
    f"{MAX_LENGTH} tokens, {len(DRAWS)} draws of both, batches of {BATCH} from no label on. Labels "
    f"for an accuracy are read off the mean curve (its running maximum) for each accuracy that "
    f"random choice has at {LEAST} to {MOST} labels; curves end at {REACH}. Constants were "
    "chosen on other draws of the same sets."
)


def plan(tiny: bool) -> list[Item]:
    """Each strategy on each set; ours and chance first."""
    if tiny:
        return [_item("bbc-news", name, 1, 24) for name in STRATEGIES]
    return [_item(data, name, len(DRAWS), REACH) for name in STRATEGIES for data in SETS]


def _item(data: str, strategy: str, draws: int, labels: int) -> Item:
    return {"data": data, "strategy": strategy, "draws": draws, "labels": labels, "batch": BATCH}


@dataclass(frozen=True, eq=False)
class Rows:
    """Features and labels of a pool and of the rows that judge."""

    features: FloatArray
    targets: IntArray
    test_features: FloatArray
    test_targets: IntArray


@cache
def _all(data: str) -> tuple[FloatArray, IntArray]:
    backbone, _ = SETS[data]
    keys = {"backbone": backbone, "max_length": MAX_LENGTH, "method": "linear_probe"}
    found = pool(data, recipe({**keys, "device": "cpu"}), rows=ROWS)
    lens = found.workshop.lens(backbone)
    assert lens is not None
    assert found.examples.targets is not None
    return lens.features(found.examples.inputs), found.examples.targets


def drawn(data: str, seed: int) -> Rows:
    """One draw of a pool and of rows to judge by."""
    features, targets = _all(data)
    order = np.random.default_rng([seed, 77]).permutation(len(targets))
    size = SETS[data][1]
    inner, outer = order[:size], order[size : size + TESTED]
    return Rows(features[inner], targets[inner], features[outer], targets[outer])


def measure(item: Item) -> dict[str, Any]:
    """Mean accuracy and its spread over draws, after each batch."""
    curves = [
        curve(
            drawn(item["data"], seed),
            STRATEGIES[item["strategy"]],
            item["labels"],
            np.random.default_rng([seed, 5]),
        )
        for seed in DRAWS[: item["draws"]]
    ]
    spread = np.std(curves, axis=0, ddof=1) if len(curves) > 1 else np.zeros(len(curves[0]))
    return {
        "accuracy": [round(float(value), 4) for value in np.mean(curves, axis=0)],
        "deviation": [round(float(value), 4) for value in spread],
    }


def curve(rows: Rows, strategy: Strategy, most: int, rng: np.random.Generator) -> list[float]:
    """Accuracy on the rows that judge after each batch of labels."""
    space = Space.of(rows.features)
    labelled = np.zeros(0, dtype=np.int64)
    chances: FloatArray | None = None
    found = []
    while len(labelled) < most:
        chosen = strategy(View(rows.features, space, labelled, chances), BATCH, rng)
        labelled = np.concatenate([labelled, chosen])
        assert len(np.unique(labelled)) == len(labelled), "a row was chosen twice"
        seen, places = np.unique(rows.targets[labelled], return_inverse=True)
        if len(seen) < 2:
            found.append(float((rows.test_targets == seen[0]).mean()))
            continue
        ones = np.ones(len(labelled))
        penalties = LinearProbeOptions().penalties
        x, y = rows.features[labelled], np.eye(len(seen))[places]
        head = solve(x, y, ones, penalties, False)
        names = tuple(map(str, seen))
        task, spec = registry.task("text_classification"), HeadSpec(len(seen))
        chances = task.decode(head.apply(rows.features), names, spec).scored
        answers = seen[head.apply(rows.test_features).argmax(axis=1)]
        found.append(float((answers == rows.test_targets).mean()))
    return found


# --- figures ----------------------------------------------------------------------------------


def needed(accuracy: Sequence[float], target: float) -> float:
    """Labels at which a curve of batches first has ``target``, in between by a straight line;
    infinite where it never has. The first batch counts whole."""
    best = np.maximum.accumulate(np.asarray(accuracy))
    if best[-1] < target:
        return float("inf")
    place = int(np.argmax(best >= target))
    if place == 0:
        return float(BATCH)
    share = (target - best[place - 1]) / (best[place] - best[place - 1])
    return float(BATCH * (place + share))


def ratios(accuracy: Sequence[float], chance: Sequence[float]) -> dict[int, float]:
    """By the labels of random choice: labels for the same accuracy over those, at most as far
    as the curve goes."""
    counts = range(LEAST, MOST + 1, BATCH)
    limit = BATCH * len(accuracy)
    best = np.maximum.accumulate(np.asarray(chance))
    return {
        count: min(needed(accuracy, float(best[count // BATCH - 1])), 1.5 * limit) / count
        for count in counts
    }


def by_strategy(draws: Sequence[Draw]) -> dict[str, dict[str, dict[int, float]]]:
    """Ratios of each strategy on each set that has a curve of chance."""
    curves = {(one["data"], one["strategy"]): one["accuracy"] for one in draws}
    found: dict[str, dict[str, dict[int, float]]] = {}
    for (data, name), accuracy in curves.items():
        if name != CHANCE and (data, CHANCE) in curves:
            long_enough = min(len(accuracy), len(curves[data, CHANCE])) * BATCH >= MOST
            if long_enough:
                found.setdefault(name, {})[data] = ratios(accuracy, curves[data, CHANCE])
    return found


def figures(draws: Sequence[Draw]) -> list[Figure]:
    listed = []
    for name, sets in sorted(by_strategy(draws).items(), key=lambda each: each[0] != OURS):
        values = [value for one in sets.values() for value in one.values()]
        mean, worst = statistics.fmean(values), max(values)
        judged = name == OURS
        spread = f"extremes of {len(values)} accuracies on {len(sets)} sets"
        title = f"labels needed against random choice, {name}"
        target = f"at most {MEAN:g} on average" if judged else ""
        met = mean <= MEAN if judged else None
        listed.append(Figure(title, mean, min(values), worst, "times", spread, target, met))
        if judged:
            target = f"never more than {WORST:g}"
            met = worst <= WORST
            title = "most labels needed against random choice, supertune"
            listed.append(Figure(title, worst, min(values), worst, "times", spread, target, met))
        listed += [_of_set(name, data, one) for data, one in sets.items()]
    return listed


def _of_set(name: str, data: str, one: Mapping[int, float]) -> Figure:
    values = list(one.values())
    mean = statistics.fmean(values)
    spread = f"extremes of {len(values)} accuracies"
    return Figure(f"{name}, {data}", mean, min(values), max(values), "times", spread)


STUDY = Benchmark(
    name="study_labels",
    question="How many labels does it save to choose which rows get one?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study_labels", description=__doc__)
    parser.add_argument("--budget", type=float, default=float("inf"), metavar="SECONDS")
    parser.add_argument("--only", default="", metavar="STRATEGY")
    parser.add_argument("--again", action="store_true", help="measure what is there again")
    parser.add_argument("--tiny", action="store_true", help="one draw of one set, to try the code")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    asked = parser.parse_args(given)
    demands = Demands(
        tiny=asked.tiny,
        budget=asked.budget,
        keep=lambda draw: not (asked.again and draw["strategy"] == (asked.only or OURS)),
        wanted=lambda item: asked.only in ("", item["strategy"]),
    )
    run(STUDY, asked.out, demands)
    return 0


if __name__ == "__main__":
    sys.exit(main())
