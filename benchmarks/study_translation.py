"""``python -m benchmarks.study_translation``: how much nearer translations come after a few pairs.

Judged on help pages of GNOME that nothing learned from is of, and on sentences about films for what
was forgotten. Resumable.
"""

from __future__ import annotations

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
from supertune import pipeline, translations
from supertune.catalogue.corpora import few_pairs, few_shot
from supertune.config import recipe
from supertune.contracts import Examples, FloatArray
from supertune.contracts.speech import texts_of
from supertune.pipeline import Candidate, Workshop

DRAWS, LEARNED, TEST, GUARD = 3, 200, 500, 100
METHODS = ("top_blocks", "lora", "knn_memory")
DIRECTIONS = {"en-pt": "English to Portuguese", "pt-en": "Portuguese to English"}
RESAMPLED = 1000
JUDGED = ("chrf", "bleu", "ter")
_HOW = (
    f"{LEARNED} pairs of paragraphs, titles and descriptions of some pages are learned from with "
    f"the method's defaults; {TEST} of other pages judge, none of which is learned from. {GUARD} "
    "English sentences about films go to Portuguese and back, one way through the tuned model and "
    "the other through the untuned one, and are compared with themselves, before and after. The "
    "interval of a difference is a paired bootstrap over the pairs that judge (percentiles, "
    f"{RESAMPLED:,} samples)."
)


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [_item("en-pt", "knn_memory", 0) | {"learned": 12, "test": 6, "guard": 2}]
    return [
        _item(direction, method, seed)
        for direction in DIRECTIONS
        for seed in range(DRAWS)
        for method in METHODS
    ]


def _item(direction: str, method: str, seed: int) -> Item:
    return {
        "direction": direction,
        "method": method,
        "seed": seed,
        "learned": LEARNED,
        "test": TEST,
        "guard": GUARD,
    }


def measure(item: Item) -> dict[str, Any]:
    direction, method, seed = item["direction"], item["method"], item["seed"]
    learned, judges = rows(direction, seed, item["learned"], item["test"])
    workshop = _workshop(direction, method, seed)
    start = time.process_time()
    tuned = pipeline.tune(workshop, Candidate(_name(direction), method), learned)
    spent = time.process_time() - start
    lens = workshop.lens(_name(direction))
    start = time.process_time()
    after = translations.counted(tuned.logits(judges.inputs, lens), _targets(judges))
    wrote = time.process_time() - start
    before = _untuned(direction, seed, item["learned"], item["test"])
    general = {
        "before": _round_trip(direction, item["guard"], None),
        "after": _round_trip(direction, item["guard"], (tuned, lens)),
    }
    apart = _apart(before, after, seed)
    return {
        "before": _scores(before),
        "after": _scores(after),
        "difference": apart,
        "general": {name: _scores(found)["chrf"] for name, found in general.items()},
        "judged_on": len(judges),
        "tuned_parameters": tuned.tuned_parameters,
        "processor_seconds": spent,
        "words_a_second": sum(len(str(one).split()) for one in judges.inputs) / wrote,
    }


def _name(direction: str) -> str:
    return f"bergamot-{direction}"


def _workshop(direction: str, method: str, seed: int) -> Workshop:
    keys = {"task": "translation", "backbone": _name(direction), "method": method, "seed": seed}
    return Workshop(recipe(keys))


def rows(direction: str, seed: int, learned: int, test: int) -> tuple[Examples, Examples]:
    train, held = few_pairs("gnome-help-pt", train_rows=learned, test_rows=test, seed=seed)

    def table(rows: Sequence[Any]) -> list[dict[str, str]]:
        sides = ("source", "target") if direction == "en-pt" else ("target", "source")
        return [{sides[0]: one[0], sides[1]: one[1], "page": one[2]} for one in rows]

    settled = _workshop(direction, "untuned", seed).recipe
    found = pipeline.read(table(train), settled, table(held))
    assert found.test is not None
    return found.train, found.test


@cache
def _untuned(direction: str, seed: int, learned: int, test: int) -> FloatArray:
    train, judges = rows(direction, seed, learned, test)
    workshop = _workshop(direction, "untuned", seed)
    model = pipeline.tune(workshop, Candidate(_name(direction), "untuned"), train)
    answers = model.logits(judges.inputs, workshop.lens(_name(direction)))
    return translations.counted(answers, _targets(judges))


def _round_trip(direction: str, guard: int, tuned: tuple[Any, Any] | None) -> FloatArray:
    """Counts of sentences that went to Portuguese and back; the model's own way as tuned."""
    if tuned is None:
        return _plain_trip(direction, guard)
    sentences = _sentences(guard)
    there = _there(guard)
    model, lens = tuned
    if direction == "pt-en":
        return translations.counted(model.logits(there, lens), np.array(sentences))
    made = texts_of(model.logits(sentences, lens))
    return translations.counted(_by("pt-en", made), np.array(sentences))


@cache
def _plain_trip(direction: str, guard: int) -> FloatArray:
    return translations.counted(_by("pt-en", _there(guard)), np.array(_sentences(guard)))


@cache
def _sentences(guard: int) -> tuple[str, ...]:
    rows, _ = few_shot("pang-lee", per_class=guard // 2, test_rows=0, seed=0)
    return tuple(text for text, _ in rows)


@cache
def _there(guard: int) -> tuple[str, ...]:
    return tuple(texts_of(_by("en-pt", _sentences(guard))))


def _by(direction: str, texts: Sequence[str]) -> FloatArray:
    """What the untuned model of a direction writes."""
    workshop = _workshop(direction, "untuned", 0)
    learned, _ = rows(direction, 0, 12, 6)
    model = pipeline.tune(workshop, Candidate(_name(direction), "untuned"), learned)
    return model.logits(list(texts), workshop.lens(_name(direction)))


def _targets(examples: Examples) -> Any:
    return examples.targets


def _scores(counts: FloatArray) -> dict[str, float]:
    found = translations.of_sums(counts.sum(axis=0, keepdims=True), len(counts))
    return {name: float(found[name][0]) for name in JUDGED}


def _apart(before: FloatArray, after: FloatArray, seed: int) -> dict[str, dict[str, float]]:
    """The 95 % intervals of the differences, after less before, over the same rows."""
    draw = np.random.default_rng(seed)
    rows = draw.integers(0, len(before), (RESAMPLED, len(before)))
    weights = np.stack([np.bincount(one, minlength=len(before)) for one in rows]).astype(float)
    mass = weights.sum(axis=1)
    pair = [translations.of_sums(weights @ counts, mass) for counts in (before, after)]
    found: dict[str, dict[str, float]] = {}
    for name in JUDGED:
        low, high = np.quantile(pair[1][name] - pair[0][name], (0.025, 0.975))
        found[name] = {"low": float(low), "high": float(high)}
    return found


def figures(draws: Sequence[Draw]) -> list[Figure]:
    """By direction and method: what was gained, whether surely, and what was forgotten."""
    by_cell: dict[tuple[str, str], list[Draw]] = defaultdict(list)
    for draw in draws:
        by_cell[draw["direction"], draw["method"]].append(draw)
    found = []
    for (direction, method), own in by_cell.items():
        found += _of(f"{DIRECTIONS[direction]}, {method}", own)
    return found


def _of(name: str, own: Sequence[Mapping[str, Any]]) -> list[Figure]:
    gained = {
        metric: [one["after"][metric] - one["before"][metric] for one in own]
        for metric in ("chrf", "bleu")
    }
    sure = [
        100.0 * all(one["difference"][metric]["low"] > 0 for metric in ("chrf", "bleu"))
        for one in own
    ]
    lost = [one["general"]["before"] - one["general"]["after"] for one in own]
    return [
        mean(f"{name}: chrF++ before", [one["before"]["chrf"] for one in own], "chrF++"),
        mean(f"{name}: chrF++ gained", gained["chrf"], "chrF++"),
        mean(f"{name}: BLEU gained", gained["bleu"], "BLEU"),
        mean(f"{name}: draws in which both are sure", sure, "%", at_least=100.0),
        median(f"{name}: chrF++ that sentences about films lose", lost, "chrF++", at_most=1.0),
        median(
            f"{name}: processor seconds of a fit",
            [one["processor_seconds"] for one in own],
            "s",
            at_most=300.0,
        ),
        median(f"{name}: words a second", [one["words_a_second"] for one in own], "words"),
    ]


STUDY = Benchmark(
    name="study_translation",
    question="How much nearer do translations come to a person's after 200 of that person's?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
