"""Recommendation: seconds by interactions, memory of a million items, a new person's model."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, median
from benchmarks.timing import in_child

TIMES = (1, 2, 4, 8)  # of the interactions of ml-100k
ITEMS, PEOPLE, FACTORS, EACH = 1_000_000, 1_000, 32, 50
FIRST = 5


def plan(tiny: bool) -> list[Item]:
    sizes = [1] if tiny else list(TIMES)
    return [
        {"what": "learn", "method": method, "times": sizes}
        for method in ("item_knn", "ease", "hybrid")
    ] + [
        {"what": "million", "items": 5_000 if tiny else ITEMS, "people": PEOPLE},
        {"what": "person"},
    ]


def measure(item: Item) -> dict[str, Any]:
    if item["what"] == "learn":
        return learned(item["method"], item["times"])
    if item["what"] == "person":
        return person()
    found = in_child("benchmarks.recommending:million", items=item["items"], people=item["people"])
    return {"peak_memory_bytes": found["peak_memory_bytes"], "processor_seconds": found["result"]}


def learned(method: str, times: Sequence[int]) -> dict[str, Any]:
    """Processor seconds of a fit on so many times the people of ml-100k, drawn with replacement,
    and of the lists of all of ml-100k's people."""
    from benchmarks.study_recommendation import _films, _fitted, _histories

    people = _histories(_films().train)
    _fitted(method, people, 0)  # texts are read and libraries loaded
    spent, lists = [], 0.0
    for number in times:
        drawn = np.random.default_rng(number).integers(0, len(people), number * len(people))
        several = people if number == 1 else [people[i] for i in drawn]
        start = time.process_time()
        tuned: Any = _fitted(method, several, 0)
        spent.append(time.process_time() - start)
        if number == 1:
            start = time.process_time()
            tuned.logits(people, None)
            lists = time.process_time() - start
    return {"fit_seconds": spent, "list_seconds": lists, "people": len(people)}


def million(items: int, people: int) -> float:
    """Processor seconds of the exact first 10 of a million items for a thousand people."""
    from supertune.contracts import Catalogue, History
    from supertune.methods._recommending import Ranker
    from supertune.methods.implicit_als import Factors

    rng = np.random.default_rng(0)
    ids = tuple(map(str, range(items)))
    none = np.full(items, np.nan)
    catalogue = Catalogue(ids, ("",) * items, ids, ((),) * items, none)
    vectors = rng.standard_normal((items, FACTORS), dtype=np.float32)
    ranker = Ranker(Factors(vectors, 5.0, 5.0), catalogue)
    unknown = np.full(EACH, np.nan)
    asked = [
        History(str(i), rng.choice(items, EACH, replace=False), unknown, unknown, EACH, catalogue)
        for i in range(people)
    ]
    start = time.process_time()
    ranker.logits(asked, None)
    return time.process_time() - start


def person() -> dict[str, Any]:
    """Milliseconds to learn a person's own model from 5 interactions."""
    from benchmarks.study_recommendation import _films, _fitted, _histories

    people = _histories(_films().train)
    tuned: Any = _fitted("user_ridge", people, 0)
    spent = []
    for one in people[:50]:
        items = replace(one.first(FIRST), catalogue=None).items.astype(np.int64)
        start = time.process_time()
        tuned.scorer.person(items)
        spent.append(1000 * (time.process_time() - start))
    return {"milliseconds": spent}


def figures(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in draws:
        if draw["what"] == "learn":
            name, spent = draw["method"], draw["fit_seconds"]
            found.append(median(f"{name}: fit on ml-100k", spent[:1], "s", at_most=60))
            found.append(
                median(f"{name}: lists of {draw['people']} people", [draw["list_seconds"]], "s",
                       at_most=5)
            )  # fmt: skip
            if len(spent) == len(TIMES):
                ratio = spent[-1] / spent[0]
                label = f"{name}: seconds of 8 times the interactions over those of once"
                found.append(median(label, [ratio], "x", at_most=8))
        elif draw["what"] == "million":
            held = draw["peak_memory_bytes"] / 2**30
            name = f"first 10 of {draw['items']:,} items for {draw['people']:,} people: memory"
            found.append(median(name, [held], "GiB", at_most=2))
            name = f"first 10 of {draw['items']:,} items for {draw['people']:,} people: time"
            found.append(median(name, [draw["processor_seconds"]], "s"))
        else:
            middle = [statistics.median(draw["milliseconds"])]
            found.append(median(f"a person's model from {FIRST} items", middle, "ms", at_most=20))
    return found


BENCHMARK = Benchmark(
    name="recommending",
    question="What does recommendation cost?",
    how="Processor seconds of one thread. ml-100k without the last fifth of each person's ratings, "
    "at 1, 2, 4 and 8 times its people, drawn with replacement; lists are exact, of all items. The "
    f"million items are random vectors of {FACTORS} numbers; each of the people has {EACH} items.",
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(BENCHMARK))
