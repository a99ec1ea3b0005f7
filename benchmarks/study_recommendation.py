"""``python -m benchmarks.study_recommendation``: lists of films for people, warm and cold.

Three protocols on ml-100k, every metric over all films that are not masked. Resumable.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, mean
from supertune import registry
from supertune.catalogue.corpora import dataset
from supertune.config import recipe
from supertune.contracts import (
    LISTED,
    Columns,
    FloatArray,
    HeadSpec,
    History,
    IntArray,
    Problem,
    Reading,
    Recommending,
    options_of,
)
from supertune.data.interactions import cold, reading
from supertune.methods._recommending import seen_by, top
from supertune.pipeline import Workshop
from supertune.ranking import per_person
from supertune.training import fitting

DRAWS, FOLDS, FIRST, ENOUGH, RESAMPLES = 5, 5, 5, 5, 2000
BACKBONE = "minilm"
PROTOCOLS = {
    "warm": (
        "popularity",
        "item_knn",
        "implicit_als",
        "content_mean",
        "ease",
        "tuned_two_tower",
        "hybrid",
    ),
    "cold people": ("popularity", "item_knn", "ease", "tuned_two_tower", "hybrid"),
    "cold items": ("content_mean", "content_ridge", "tuned_two_tower", "hybrid"),
}
RIVALS = {
    "warm": ("ease",),
    "cold people": ("popularity", "item_knn", "ease"),
    "cold items": ("content_ridge",),
}
OURS = ("hybrid", "tuned_two_tower")  # the first of them has aims
_HOW = (
    "ml-100k, every rating an interaction, in the order of time; all films are ranked. **Warm**: "
    "each model learns from all but the last fifth of each person's ratings, which judge; what a "
    "person rated before is masked. **Cold people**: five folds of people, of whom nothing is "
    f"learned from; a model is given their first {FIRST} ratings and judged by their last fifth, "
    "and everything before that fifth is masked, shown to the model or not. **Cold items**: a "
    f"fifth of the films with {ENOUGH} ratings or more are left out of learning and ranked among "
    "themselves, for everybody who rated one of them, by all else that they rated; no film is "
    f"masked. {DRAWS} draws of folds and of films. Gains are paired over people, whose scores are "
    f"averaged over draws; {RESAMPLES:,} resamples. Texts are read by frozen {BACKBONE}. What "
    "methods have by default was set on the earlier four fifths of the ratings, but for three "
    "settings of `hybrid` that one draw of the last fifth was looked at for too (docs/log.md)."
)


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [_item("cold items", "content_mean", 0)]
    return [
        _item(protocol, method, seed)
        for seed in range(DRAWS)
        for protocol, methods in PROTOCOLS.items()
        for method in methods
        if seed == 0 or protocol != "warm"
    ]


def _item(protocol: str, method: str, seed: int) -> Item:
    return {"protocol": protocol, "method": method, "seed": seed}


@cache
def _films() -> Reading:
    return reading.learned(dataset("ml-100k"), Columns())


def _histories(examples: Any) -> list[History]:
    return [one for one in examples.inputs if isinstance(one, History)]


def _fitted(method: str, people: Sequence[History], seed: int) -> Recommending:
    found = registry.method(method)
    settled = recipe({"task": "recommendation", "method": method, "seed": seed})
    workshop = Workshop(settled)
    lens = workshop.lens(BACKBONE) if found.needs else None
    examples = replace(_films().train, inputs=tuple(people), targets=None)
    head = HeadSpec(len(examples.labels), listed=LISTED)
    options = options_of(found, "rank")()
    tuned = fitting.fit(found, Problem(examples, head, lens, seed), options)
    assert isinstance(tuned, Recommending)
    return tuned


def _scored(
    tuned: Recommending,
    asked: Sequence[History],
    masked: Sequence[History],
    later: IntArray,
    among: IntArray | None = None,
) -> FloatArray:
    """(n, 2) NDCG@10 and recall@10 of each person."""
    scores = np.array(tuned.scores(asked, None), dtype=np.float64)
    hidden = seen_by(masked, tuned.catalogue)
    scores[np.repeat(np.arange(len(hidden)), hidden.lengths), hidden.items] = -np.inf
    lists = top(scores if among is None else scores[:, among], LISTED)[0]
    return per_person(lists, later)[0][:, :2]


def _warm(method: str, seed: int) -> FloatArray:
    films = _films()
    assert films.test is not None
    assert films.test.targets is not None
    asked = _histories(films.test)
    tuned = _fitted(method, _histories(films.train), seed)
    return _scored(tuned, asked, asked, films.test.targets)


def _cold_people(method: str, seed: int) -> FloatArray:
    films = _films()
    assert films.test is not None
    assert films.test.targets is not None
    people, later = _histories(films.test), films.test.targets
    fold = np.random.default_rng(seed).permutation(len(people)) % FOLDS
    found = np.zeros((len(people), 2))
    for number in range(FOLDS):
        out = np.flatnonzero(fold == number)
        tuned = _fitted(method, [one for one, k in zip(people, fold, strict=True) if k != number],
                        seed)  # fmt: skip
        asked = [people[i] for i in out]
        found[out] = _scored(tuned, [one.first(FIRST) for one in asked], asked, later[out])
    return found


def _cold_items(method: str, seed: int) -> FloatArray:
    films = _films()
    assert films.whole is not None
    people, size = _histories(films.whole), len(films.train.labels)
    counts = np.bincount(np.concatenate([one.items for one in people]), minlength=size)
    known = np.flatnonzero(counts >= ENOUGH)
    out = np.sort(np.random.default_rng(seed).permutation(known)[: len(known) // 5])
    gone = np.isin(np.arange(size), out)
    place = np.cumsum(gone) - 1
    kept = [cold.without(one, gone) for one in people]
    later = np.full((len(people), len(out)), -1, dtype=np.int64)
    for row, one in zip(later, people, strict=True):
        rated = place[one.items[gone[one.items]]]
        row[: len(rated)] = rated
    found = _scored(_fitted(method, kept, seed), kept, kept, later, out)
    return np.where((later >= 0).any(axis=1)[:, None], found, np.nan)


_MEASURED = {"warm": _warm, "cold people": _cold_people, "cold items": _cold_items}


def measure(item: Item) -> dict[str, Any]:
    start = time.process_time()
    found = _MEASURED[item["protocol"]](item["method"], item["seed"])
    counted = found[~np.isnan(found).any(axis=1)]
    return {
        "ndcg": float(counted[:, 0].mean()),
        "recall": float(counted[:, 1].mean()),
        "people": len(counted),
        **({"each": _written(found)} if item["method"] in _COMPARED[item["protocol"]] else {}),
        "processor_seconds": time.process_time() - start,
    }


_COMPARED = {protocol: {*rivals, *OURS} for protocol, rivals in RIVALS.items()}


def _written(scores: FloatArray) -> str:
    """(n, 2) in ten thousandths, people between commas; nothing of who is not counted."""
    rows = np.round(np.nan_to_num(scores, nan=-1) * 10_000).astype(int).tolist()
    return ",".join("" if one < 0 else f"{one} {two}" for one, two in rows)


def _read(written: str) -> FloatArray:
    rows = [part.split() or ["nan", "nan"] for part in written.split(",")]
    return np.array(rows, dtype=np.float64) / 10_000


def figures(draws: Sequence[Draw]) -> list[Figure]:
    """Each method's NDCG@10 and recall@10, and what hybrid has on the strongest of the others."""
    cells: dict[tuple[str, str], list[Draw]] = defaultdict(list)
    for draw in draws:
        cells[draw["protocol"], draw["method"]].append(draw)
    found = []
    for protocol, methods in PROTOCOLS.items():
        for column, metric in enumerate(("ndcg", "recall")):
            for method in methods:
                if own := cells.get((protocol, method)):
                    values = [draw[metric] for draw in own]
                    found.append(mean(f"{protocol}, {method}: {metric}@10", values, ""))
            for rival in RIVALS[protocol]:
                for one in OURS:
                    both = cells.get((protocol, one)), cells.get((protocol, rival))
                    if both[0] and both[1] and len(both[0]) == len(both[1]):
                        name = f"{protocol}, {one} - {rival}: gain in {metric}@10"
                        found.append(_gain(name, both[0], both[1], column, one == OURS[0]))
    return found


def _gain(name: str, ours: list[Draw], others: list[Draw], column: int, aimed: bool) -> Figure:
    """The mean difference over people, paired; draws of a person are averaged first."""
    tables = [np.array([_read(draw["each"]) for draw in some]) for some in (ours, others)]
    gain = tables[0][:, :, column] - tables[1][:, :, column]
    counted = np.isfinite(gain).any(axis=0)
    each = np.nanmean(gain[:, counted], axis=0)
    drawn = np.random.default_rng(0).integers(0, len(each), (RESAMPLES, len(each)))
    low, high = np.quantile(each[drawn].mean(axis=1), (0.025, 0.975))
    spread = f"95 % interval over {len(each)} people"
    aim = ("lower end at least 0", bool(low >= 0)) if aimed else ()
    return Figure(name, float(each.mean()), float(low), float(high), "", spread, *aim)


STUDY = Benchmark(
    name="study_recommendation",
    question="Are people recommended what they want next, who are new or not, of items that are "
    "new or not?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
