"""``python -m benchmarks.study_detection``: what a detector learns from a few pictures with boxes.

Trees on aerial photographs are learned from two of four pictures and judged on the other two, in
five of the six ways; six classes that are stamps pasted on photographs from twenty pictures, and
judged on two hundred with stamps that none of them shows. Resumable.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, mean
from supertune import average_precision, registry
from supertune.catalogue.composing import composed
from supertune.catalogue.corpora import few_pictures
from supertune.config import method_options, recipe
from supertune.contracts import Columns, Examples
from supertune.pipeline import Workshop
from supertune.training import fitting

DRAWS, LEARNED, JUDGED = 5, 20, 200
BLOCKS = (2, 0, 4)  # tuned below the head; the first is the default
AIMS = {"trees": 35.0, "composed": 50.0}
SETTINGS: dict[str, dict[str, Any]] = {"trees": {"from_above": True}, "composed": {}}
_HOW = (
    "nanodet-g, its head and so many blocks below it tuned by detection_head with its defaults "
    "(trees: from_above), one thread. Untuned, nothing is found: COCO has none of these names. "
    "Seconds are of a processor and of learning alone. The sixth pair of tree pictures and other "
    "seeds of composed ones served to choose the defaults."
)


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [{"data": "trees", "draw": 0, "blocks": 0, "steps": 2}]
    return [
        {"data": data, "draw": draw, "blocks": blocks}
        for blocks in BLOCKS
        for draw in range(DRAWS)
        for data in AIMS
    ]


def measure(item: Item) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        train, test = rows(item["data"], item["draw"], Path(folder))
        keys = {key: item[key] for key in ("blocks", "steps") if key in item}
        settled = recipe(
            {
                "task": "object_detection", "backbone": "nanodet-g", "method": "detection_head",
                "threads": 1, "seed": item["draw"], **SETTINGS[item["data"]], **keys,
            }
        )  # fmt: skip
        workshop = Workshop(settled)
        problem = workshop.problem(train, "nanodet-g")
        start = time.process_time()
        tuned = fitting.fit(registry.method("detection_head"), problem, method_options(settled))
        spent = time.process_time() - start
        score = workshop.score(train.labels)
        answers = tuned.logits(test.inputs, problem.lens)
        found = score(answers, test.targets, None)
        own = score(tuned.logits(train.inputs, problem.lens), train.targets, None)
    return {
        **{name: float(value[0]) for name, value in found.items()},
        "any_class": _any_class(answers, test),
        "own_map50": float(own["map50"][0]),
        "boxes": int((_targets(train)[..., 4] >= 0).sum()),
        "judged_on": len(test),
        "processor_seconds": spent,
    }


def rows(data: str, draw: int, folder: Path) -> tuple[Examples, Examples]:
    """Pictures to learn from and to judge by."""
    task = registry.task("object_detection")
    if data == "trees":
        names = few_pictures("deepforest", train_rows=4, test_rows=0, seed=0)[0]
        every = task.read(sorted(names), Columns()).train
        pair = list(itertools.combinations(range(len(every)), 2))[draw]
        others = [place for place in range(len(every)) if place not in pair]
        return every.take(np.array(pair)), every.take(np.array(others))
    train, test = composed(folder, train=LEARNED, test=JUDGED, seed=draw)
    reading = task.read(str(train), Columns(), test=str(test))
    assert reading.test is not None
    return reading.train, reading.test


def figures(draws: Sequence[Draw]) -> list[Figure]:
    """Of each set by the number of tuned blocks, the default against its aim."""
    by: dict[tuple[str, int], list[Draw]] = defaultdict(list)
    for draw in draws:
        by[draw["data"], draw["blocks"]].append(draw)
    found = []
    for data, aim in AIMS.items():
        for blocks in BLOCKS:
            own = by.get((data, blocks), [])
            if not own:
                continue
            name, usual = f"{data}, {blocks} blocks", blocks == BLOCKS[0]
            values = [100 * draw["map50"] for draw in own]
            found.append(mean(f"{name}: mAP50", values, "%", at_least=aim if usual else None))
            seconds = [draw["processor_seconds"] for draw in own]
            found.append(mean(f"{name}: processor seconds to learn", seconds, "s"))
    return found


def _any_class(answers: Any, test: Examples) -> float:
    """mAP50 where all classes count as one."""
    boxes, true = answers.reshape(len(test), -1, 6).copy(), _targets(test).copy()
    boxes[..., 5], true[..., 4] = np.minimum(boxes[..., 5], 0), np.minimum(true[..., 4], 0)
    return float(average_precision.scores(boxes, true)["map50"][0])


def _targets(examples: Examples) -> Any:
    assert examples.targets is not None
    return examples.targets


STUDY = Benchmark(
    name="study_detection",
    question="What does a detector learn from a few pictures with boxes?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
