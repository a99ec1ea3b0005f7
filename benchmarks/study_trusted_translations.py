"""``python -m benchmarks.study_trusted_translations``: is what ``--max-error`` promises kept?

A translator is fitted on pairs of some pages and translates those of others. Resumable.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, mean, median
from supertune import pipeline
from supertune.catalogue.corpora import few_pairs
from supertune.config import recipe
from supertune.contracts import Examples, FloatArray
from supertune.evaluation import abstaining
from supertune.evaluation.intervals import clopper_pearson
from supertune.objectives import _far_off
from supertune.pipeline import Candidate, Workshop

DRAWS, LEARNED, TEST = 3, 200, 500
BACKBONE, METHOD = "bergamot-en-pt", "knn_memory"
LIMITS = (0.05, 0.1, 0.2, 0.3)
KINDS = {True: "pages known", False: "pages not told"}


def plan(tiny: bool) -> list[Item]:
    sizes = (12, 6) if tiny else (LEARNED, TEST)
    return [
        {"pages": pages, "seed": seed, "learned": sizes[0], "test": sizes[1]}
        for seed in range(1 if tiny else DRAWS)
        for pages in KINDS
    ]


def measure(item: Item) -> dict[str, Any]:
    workshop = _workshop(item["seed"])
    learned, judges = _rows(workshop, item)
    candidate = Candidate(BACKBONE, METHOD)
    assessed = pipeline.assess(workshop, candidate, learned, workshop.folds(learned))
    kept = _far_off.kept(assessed.answers, learned)
    confidence, right = _judged(item["seed"], item["learned"], item["test"])
    limits = []
    for limit in LIMITS:
        found = abstaining.limit(kept, limit)
        told = confidence >= found.value
        wrong, given = int((~right[told]).sum()), int(told.sum())
        low, high = clopper_pearson(wrong, given) if given else (0.0, 1.0)
        limits.append(
            {
                "max_error": limit,
                "expected": found.answered,
                "answered": given / len(told),
                "error": wrong / given if given else None,
                "low": low,
                "high": high,
            }
        )
    return {
        "units": int(kept["units"][0]),
        "wrong_out_of_fold": float(kept["wrong"].mean()),
        "wrong_of_all": float((~right).mean()),
        "judged_on": len(judges),
        "limits": limits,
    }


def _workshop(seed: int) -> Workshop:
    keys = {"task": "translation", "backbone": BACKBONE, "method": METHOD, "seed": seed}
    return Workshop(recipe({**keys, "threads": 1, "repeats": 1}))


@cache
def _judged(seed: int, learned: int, test: int) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """How sure the model of all pairs is of the others, and whether it is right: the same whether
    it is told of pages or not."""
    workshop = _workshop(seed)
    train, judges = _rows(
        workshop, {"pages": False, "seed": seed, "learned": learned, "test": test}
    )
    tuned = pipeline.tune(workshop, Candidate(BACKBONE, METHOD), train)
    assert judges.targets is not None
    answers = tuned.logits(judges.inputs, workshop.lens(BACKBONE))
    return _far_off.answered(answers, judges.targets)


def _rows(workshop: Workshop, item: Item) -> tuple[Examples, Examples]:
    names = ("source", "target", "page") if item["pages"] else ("source", "target")
    sizes = {"train_rows": item["learned"], "test_rows": item["test"]}
    sides = few_pairs("gnome-help-pt", seed=item["seed"], **sizes)
    train, held = ([dict(zip(names, row, strict=False)) for row in side] for side in sides)
    found = pipeline.read(train, workshop.recipe, held)
    assert found.test is not None
    return found.train, found.test


def figures(draws: Sequence[Draw]) -> list[Figure]:
    by_kind: dict[bool, list[Draw]] = defaultdict(list)
    for draw in draws:
        by_kind[draw["pages"]].append(draw)
    found = []
    for pages, own in by_kind.items():
        kind = KINDS[pages]
        found += [
            median(f"{kind}: independent rows", [draw["units"] for draw in own], "rows"),
            mean(f"{kind}: wrong of all", [100 * draw["wrong_of_all"] for draw in own], "%"),
        ]
        for place, limit in enumerate(LIMITS):
            found += _of(kind, limit, [draw["limits"][place] for draw in own])
    return found


def _of(kind: str, limit: float, own: Sequence[dict[str, Any]]) -> list[Figure]:
    name = f"{kind}, at most {100 * limit:g} % wrong"
    found = [median(f"{name}: translated", [100 * one["answered"] for one in own], "%")]
    errors = [100 * one["error"] for one in own if one["error"] is not None]
    if errors:
        found.append(median(f"{name}: wrong of these", errors, "%", at_most=100 * limit))
    return found


STUDY = Benchmark(
    name="study_trusted_translations",
    question="Is what `--max-error` promises of translations kept on pages that were not learned "
    "from?",
    how=f"{LEARNED} pairs of some of GNOME's help pages, `{METHOD}` on `{BACKBONE}`, 5 folds once; "
    f"{TEST} pairs of other pages judge. Wrong is what has less than "
    f"{_far_off.FAR_OFF:g} chrF++. Rows of one page are one independent row where pages are "
    "known, as a column of that name makes them; without it each row counts for itself.",
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
