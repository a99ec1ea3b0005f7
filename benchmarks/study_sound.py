"""``python -m benchmarks.study_sound``: what is made of a few labelled recordings.

Judged on all recordings of a set that were not drawn to learn from. Resumable.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, mean, paired
from supertune import pipeline
from supertune.catalogue.corpora import few_shot
from supertune.config import recipe
from supertune.contracts import Encoding, Input, Lens, Replaying
from supertune.pipeline import Candidate, Workshop

DRAWS, TEST_ROWS, PER_CLASS = 5, 1000, 5
BACKBONE = "whisper-base"
METHODS = ("linear_probe", "layered_probe")
# Beside them, with its defaults: what is tuned, and how the encoder is read, both chosen on a draw
# that is not among these (docs/log.md).
TUNED: dict[str, tuple[str, dict[str, Any]]] = {"instruments": ("lora", {"layer": 2})}
AIMS = {"letters": 55.0, "instruments": 62.0}  # of layered_probe, in percent
_HOW = (
    f"{PER_CLASS} recordings a class are drawn, {DRAWS} times, and a head is learned from them on "
    f"frozen {BACKBONE}; what it is read by is chosen on them alone. Judged on all other "
    "recordings of the set. lora tunes the second of the encoder's layers, with its defaults and a "
    "head on the largest of each number over time, from a cache of what lies below."
)


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [_item("instruments", "layered_probe", 0) | {"per_class": 2, "test_rows": 4}]
    solved = [(data, method) for data in AIMS for method in METHODS]
    tuned = [(data, method) for data, (method, _) in TUNED.items()]
    return [
        _item(data, method, seed)
        for some in (solved, tuned)
        for seed in range(DRAWS)
        for data, method in some
    ]


def _item(data: str, method: str, seed: int) -> Item:
    return {
        "data": data,
        "method": method,
        "seed": seed,
        "per_class": PER_CLASS,
        "test_rows": TEST_ROWS,
    }


class _Kept:
    """A lens whose answers are kept: draws share most of their recordings. The bits of a vector
    do not depend on what is computed beside it, so they are those of a prediction."""

    def __init__(self, lens: Lens) -> None:
        self.lens = lens

    def under(self, encoding: Encoding) -> _Kept:
        return _Kept(self.lens.under(encoding))

    def features(self, inputs: Sequence[Input], *, prediction: bool = False) -> Any:
        return self.lens.features(inputs)

    def readings(self, inputs: Sequence[Input], *, prediction: bool = False) -> Any:
        return self.lens.readings(inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lens, name)


def measure(item: Item) -> dict[str, Any]:
    train, test = few_shot(
        item["data"],
        per_class=item["per_class"],
        test_rows=item["test_rows"],
        seed=item["seed"],
    )
    method, read_by = TUNED.get(item["data"], ("", {}))
    keys = {"task": "audio_classification", "backbone": BACKBONE, "method": item["method"]}
    keys |= {"seed": item["seed"], **(read_by if item["method"] == method else {})}
    settled = recipe(keys)
    start = time.process_time()
    examples = pipeline.labelled(pipeline.read(train, settled).train)
    workshop = Workshop(settled)
    tuned = pipeline.tune(workshop, Candidate(BACKBONE, item["method"]), examples)
    spent = time.process_time() - start
    lens, heard = workshop.lens(BACKBONE), [recording for recording, _ in test]
    assert lens is not None
    if isinstance(tuned, Replaying):  # draws share what lies below the cut too
        logits = tuned.held_out(heard, lens)
    else:
        kept: Any = _Kept(lens)
        logits = tuned.logits(heard, kept)
    found = [examples.labels[place] for place in np.argmax(logits, axis=1)]
    hits = [answer == label for answer, (_, label) in zip(found, test, strict=True)]
    return {
        "accuracy": statistics.fmean(hits),
        "learned_from": len(examples),
        "judged_on": len(test),
        "read": [list(one) for one in getattr(tuned, "layers", ()) if isinstance(one, tuple)],
        "processor_seconds": spent,
    }


def figures(draws: Sequence[Draw]) -> list[Figure]:
    """The mean of each set and method with its interval over draws."""
    by_cell: dict[tuple[str, str], list[Draw]] = defaultdict(list)
    for draw in draws:
        by_cell[draw["data"], draw["method"]].append(draw)
    found = []
    for data, aim in AIMS.items():
        for method in (*METHODS, *TUNED.get(data, ())[:1]):
            own = by_cell.get((data, method), [])
            if not own:
                continue
            values = [100 * draw["accuracy"] for draw in own]
            rows = round(statistics.fmean(draw["judged_on"] for draw in own))
            name = f"{data}, {PER_CLASS} a class, {method}: accuracy on {rows:,} others"
            least = {"at_least": aim} if method == "layered_probe" else {}
            found.append(mean(name, values, "%", **least))
    return found + [one for data in TUNED for one in _beside(data, by_cell)]


def _beside(data: str, by_cell: Mapping[tuple[str, str], Sequence[Draw]]) -> list[Figure]:
    """What tuning adds to the best head on the same recordings."""
    method, best = TUNED[data][0], METHODS[-1]
    own, other = (
        {draw["seed"]: draw["accuracy"] for draw in by_cell.get((data, name), [])}
        for name in (method, best)
    )
    both = sorted(own.keys() & other.keys())
    if not both:
        return []
    name = f"{data}, {PER_CLASS} a class: {method} less {best}"
    return [paired(name, [own[seed] - other[seed] for seed in both], judged=False)]


STUDY = Benchmark(
    name="study_sound",
    question="How many of a few labelled recordings' kinds are told apart?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
