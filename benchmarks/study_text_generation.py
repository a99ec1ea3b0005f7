"""``python -m benchmarks.study_text_generation``: a structured job after 40 examples, on smollm2.

The opening of an article of bbc-news becomes an object with its headline and its topic. Resumable.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, mean, median
from supertune import completions, pipeline
from supertune.catalogue.corpora import few_shot
from supertune.config import recipe
from supertune.contracts import Examples, FloatArray
from supertune.pipeline import Candidate, Workshop

DRAWS, PER_CLASS, TEST = 3, 8, 60
BACKBONE, WORDS = "smollm2", 40
RESAMPLED = 1000
JUDGED = ("field_f1", "exact", "valid", "rouge_l")
INSTRUCTION = (
    "Answer with one JSON object with two keys: headline, the first line of the text, and topic, "
    "one of business, entertainment, politics, sport, tech."
)
# By name of a row: the method and its keys.
WAYS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "untuned, constrained": ("untuned", {"structure": "answers"}),
    "in_context": ("in_context", {"shots": 4}),
    "lora": ("lora", {}),
    "lora, constrained": ("lora", {"structure": "answers"}),
}
_HOW = (
    f"{PER_CLASS} articles of each of 5 topics are learned from and {TEST} others judge, the first "
    f"line and up to {WORDS} words of each. The untuned model is told the keys and the topics, as "
    "are all. F1 is of fields, name and value both right. The interval of a difference is a paired "
    f"bootstrap over the articles that judge (percentiles, {RESAMPLED:,} samples)."
)


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [{"way": "in_context", "seed": 0, "per_class": 1, "test": 2}]
    return [
        {"way": way, "seed": seed, "per_class": PER_CLASS, "test": TEST}
        for seed in range(DRAWS)
        for way in WAYS
    ]


def measure(item: Item) -> dict[str, Any]:
    seed, size = item["seed"], (item["per_class"], item["test"])
    after, spent, wrote = _answers(item["way"], seed, *size)
    before, *_ = _answers("", seed, *size)
    return {
        "before": _scores(before),
        "after": _scores(after),
        "difference": _apart(before, after, seed),
        "judged_on": len(after),
        "processor_seconds": spent,
        "writing_seconds": wrote,
    }


@cache
def _answers(way: str, seed: int, per_class: int, test: int) -> tuple[FloatArray, float, float]:
    """What is counted of the answers, processor seconds of a fit and of writing."""
    method, options = WAYS.get(way, ("untuned", {}))
    learned, judges = _rows(seed, per_class, test)
    workshop = _workshop(method, seed, options)
    start = time.process_time()
    tuned = pipeline.tune(workshop, Candidate(BACKBONE, method), learned)
    spent, start = time.process_time() - start, time.process_time()
    answers = tuned.logits(judges.inputs, workshop.lens(BACKBONE))
    assert judges.targets is not None
    return completions.counted(answers, judges.targets), spent, time.process_time() - start


def _workshop(method: str, seed: int, options: Mapping[str, Any]) -> Workshop:
    keys = {"task": "text_generation", "backbone": BACKBONE, "method": method, "seed": seed}
    more = {"instruction": INSTRUCTION, "options": dict(options), "precision": "fp32", "threads": 1}
    return Workshop(recipe({**keys, **more}))


def _rows(seed: int, per_class: int, test: int) -> tuple[Examples, Examples]:
    train, held = few_shot("bbc-news", per_class=per_class, test_rows=test, seed=seed)

    def table(rows: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
        found = []
        for text, label in rows:
            headline, _, rest = text.strip().partition("\n")
            headline = " ".join(headline.split()[:15])
            said = json.dumps({"headline": headline, "topic": label}, ensure_ascii=False)
            body = " ".join(rest.split()[:WORDS])
            found.append({"input": f"{headline}\n{body}", "output": said})
        return found

    settled = _workshop("untuned", seed, {}).recipe
    found = pipeline.read(table(train), settled, table(held))
    assert found.test is not None
    return found.train, found.test


def _scores(counts: FloatArray) -> dict[str, float]:
    found = completions.of_sums(counts.sum(axis=0, keepdims=True), np.array([len(counts)]))
    return {name: 100 * float(found[name][0]) for name in JUDGED}


def _apart(before: FloatArray, after: FloatArray, seed: int) -> dict[str, dict[str, float]]:
    """The 95 % intervals of the differences, after less before, over the same rows."""
    draw = np.random.default_rng(seed)
    rows = draw.integers(0, len(before), (RESAMPLED, len(before)))
    weights = np.stack([np.bincount(one, minlength=len(before)) for one in rows]).astype(float)
    mass = weights.sum(axis=1)
    pair = [completions.of_sums(weights @ counts, mass) for counts in (before, after)]
    found: dict[str, dict[str, float]] = {}
    for name in ("field_f1", "exact"):
        low, high = np.quantile(100 * (pair[1][name] - pair[0][name]), (0.025, 0.975))
        found[name] = {"low": float(low), "high": float(high)}
    return found


def figures(draws: Sequence[Draw]) -> list[Figure]:
    """By way: what is right and valid, and what was gained on the untuned model."""
    by_way: dict[str, list[Draw]] = defaultdict(list)
    for draw in draws:
        by_way[draw["way"]].append(draw)
    found = []
    for way, own in by_way.items():
        valid = [one["after"]["valid"] for one in own]
        gained = [one["after"]["field_f1"] - one["before"]["field_f1"] for one in own]
        low = [one["difference"]["field_f1"]["low"] for one in own]
        aim = None if way.startswith("untuned") else 20.0
        found += [
            mean(f"{way}: F1 of fields", [one["after"]["field_f1"] for one in own], "%"),
            mean(f"{way}: F1 of fields gained on untuned", gained, "points", at_least=aim),
            mean(f"{way}: lower end of its interval", low, "points"),
            mean(f"{way}: exact", [one["after"]["exact"] for one in own], "%"),
            mean(f"{way}: valid JSON", valid, "%", at_least=99.0 if "constrained" in way else None),
            median(f"{way}: processor seconds of a fit",
                   [one["processor_seconds"] for one in own], "s"),
            median(f"{way}: processor seconds of writing",
                   [one["writing_seconds"] for one in own], "s"),
        ]  # fmt: skip
    return found


STUDY = Benchmark(
    name="study_text_generation",
    question="What does a language model of 135 million numbers gain on a structured job from 40 "
    "examples?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
