"""``python -m benchmarks.study_voice``: how near a voice comes to a speaker after 60 recordings.

Judged by sentences that nothing learned from says: words that a recogniser mistakes, pitch, and
likeness, all heard below 4 kHz. Resumable.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, mean, median
from supertune import pipeline, registry
from supertune.catalogue.corpora import few_clips
from supertune.config import recipe
from supertune.contracts import Judged
from supertune.pipeline import Candidate, Workshop

DRAWS, LEARNED, TEST = 4, 60, 20
BACKBONE = "piper-joe"
METHODS = ("voice_map", "pitch_shift")
CONSENT = "The speaker recorded these prompts to be published under CC-BY-SA."
_HOW = (
    f"{LEARNED} English prompts of three words or more are drawn and learned from with the "
    f"method's defaults; {TEST} others that say other words judge. Intervals are a bootstrap over "
    "these sentences (percentiles, 2,000 samples). Likeness lies between -1 (the untuned voice) "
    "and 1 (the speaker); the speaker's own recordings have the likeness that is named so. What "
    "was tried outside this program stands last, with the figures that docs/log.md has of it: each "
    "table is a draw of its own, of which no intervals were kept, so small differences say nothing."
)


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [{"method": METHODS[1], "seed": 0, "learned": 3, "test": 2}]
    return [
        {"method": method, "seed": seed, "learned": LEARNED, "test": TEST}
        for seed in range(DRAWS)
        for method in METHODS
    ]


def measure(item: Item) -> dict[str, Any]:
    train, test = few_clips(
        "prompts-en",
        train_rows=item["learned"],
        test_rows=item["test"],
        seed=item["seed"],
        words=3,
    )
    keys = {"task": "text_to_speech", "backbone": BACKBONE, "method": item["method"]}
    settled = recipe({**keys, "consent": CONSENT, "seed": item["seed"]})
    found = pipeline.read(list(train), settled, list(test))
    assert found.test is not None
    workshop = Workshop(settled)
    start = time.process_time()
    tuned: Any = pipeline.tune(workshop, Candidate(BACKBONE, item["method"]), found.train)
    spent = time.process_time() - start
    answers = tuned.held_out(found.test.inputs, workshop.lens(BACKBONE))
    judge = registry.objective("synthesise")
    judged = Judged(found.test, answers, True)
    told = judge.breakdown(judged, seed=item["seed"], costs=None, shown=False)["voicing"]
    change = tuned.change
    return {
        "figures": told["figures"],
        "judged_on": len(found.test),
        "factors": {"pitch": change.pitch, "tract": change.tract, "tempo": change.tempo},
        "tuned_parameters": tuned.tuned_parameters,
        "processor_seconds": spent,
    }


def figures(draws: Sequence[Draw]) -> list[Figure]:
    """By method: errors, pitch and likeness, and whether the latter is surely nearer."""
    by_method: dict[str, list[Draw]] = defaultdict(list)
    for draw in draws:
        if "method" in draw:  # what was tried elsewhere has none
            by_method[draw["method"]].append(draw)
    found = []
    for method, own in by_method.items():
        told = [one["figures"] for one in own]
        first = method == METHODS[0]  # what is promised is promised of it

        def points(name: str, side: str, told: list[Any] = told) -> list[float]:
            return [100 * one[name][side]["value"] for one in told]

        lost = points("wer", "change")
        moved = points("pitch_gap", "moved")
        sure = [100 * float(one["similarity"]["change"]["low"] > 0) for one in told]
        found += [
            mean(f"{method}: word error rate untuned", points("wer", "untuned"), "%"),
            mean(f"{method}: word error rate", points("wer", "tuned"), "%"),
            median(f"{method}: points lost", lost, "points", **({"at_most": 3.0} if first else {})),
            mean(f"{method}: way of the pitch", moved, "%",
                 **({"at_least": 60.0} if first else {})),
            mean(f"{method}: likeness untuned, times 100", points("similarity", "untuned"), ""),
            mean(f"{method}: likeness, times 100", points("similarity", "tuned"), ""),
            mean(f"{method}: likeness of the speaker, times 100", points("similarity", "own"), ""),
            median(f"{method}: draws in which it is surely nearer", sure, "%",
                   **({"at_least": 100.0} if first else {})),
            mean(f"{method}: processor time", [one["processor_seconds"] for one in own], "s"),
        ]  # fmt: skip
    return found


STUDY = Benchmark(
    name="study_voice",
    question="How near does a voice come to a speaker after 60 recordings?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
