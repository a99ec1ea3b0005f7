"""What the plan of the study takes, predicted from its draws: ``python -m benchmarks.study_cost``.

Processor seconds on a CPU. A fit grows with the labelled rows and an answer with the test rows, so
each is a rate a row: that of the draws that are most like the item.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.benchmark import Draw, Item, missing
from benchmarks.study_page import draws as study_draws
from benchmarks.study_plan import NONE, Part, for_gpu, parts, plan
from supertune.catalogue.data_sets import dataset
from supertune.errors import InputError

HOURS, CORES = 8.0, 2  # what the issue allows
# Blocks' numbers beside those of minilm: where nothing was drawn on a backbone, its rate is theirs.
SIZE = {NONE: 1.0, "minilm": 1.0, "e5-small": 2.0, "smollm2": 10.0}
IMPORTS = 6.0  # seconds of a process that measures its own memory
Key = tuple[object, ...]
DEAREST = "full"  # what a method counts as that was never drawn
# From the most alike to the least.
KEYS: tuple[Callable[[Item], Key], ...] = (
    lambda item: (item["method"], item["backbone"], item["data"], item["per_class"]),
    lambda item: (item["method"], item["backbone"], item["data"]),
    lambda item: (item["method"], item["backbone"]),
    lambda item: (item["method"],),
    lambda item: (item["method"].partition(":")[0],),  # the types of peft train alike
)


@dataclass(frozen=True)
class Rates:
    """Median processor seconds of a row, divided by the size of the backbone, by key."""

    fit: Mapping[Key, float]
    predict: Mapping[Key, float]

    def of(self, item: Item) -> float:
        """Processor seconds that ``item`` is predicted to take."""
        fit = _found(self.fit, item) * labelled_rows(item)
        predict = _found(self.predict, item) * item["test_rows"]
        once: float = SIZE[item["backbone"]] * (fit + predict)
        return 2 * once + IMPORTS if measures_memory(item) else once


def measures_memory(item: Item) -> bool:
    """Whether the item is run a second time, in a process of its own."""
    return (item["data"], item["seed"], item["per_class"]) == ("pang-lee", 0, 8)


def labelled_rows(item: Item) -> int:
    return int(item["per_class"]) * dataset(item["data"]).labels


def rates(draws: Iterable[Draw]) -> Rates:
    """Of draws that succeeded on a CPU, under whichever defaults."""
    fit: dict[Key, list[float]] = defaultdict(list)
    predict: dict[Key, list[float]] = defaultdict(list)
    for draw in draws:
        if "failed" in draw or draw["device"] != "cpu":
            continue
        size, spent = SIZE[draw["backbone"]], draw["processor_seconds"]
        for key in {key(draw) for key in KEYS}:
            fit[key].append(spent["fit"] / labelled_rows(draw) / size)
            predict[key].append(spent["predict"] / draw["answered"] / size)
    medians = [{key: statistics.median(of) for key, of in one.items()} for one in (fit, predict)]
    return Rates(*medians)


def _found(rate: Mapping[Key, float], item: Item) -> float:
    for like in (item, {**item, "method": DEAREST}):
        for key in KEYS:
            if (found := rate.get(key(like))) is not None:
                return found
    raise InputError(
        "nothing_measured",
        "No draw says what the study takes.",
        received=f"no draw of {item['method']} or {DEAREST} on a CPU",
        next="Run `make study-methods` for a while.",
    )


def predicted(draws: Sequence[Draw]) -> list[tuple[Part, int, float]]:
    """Each part that a CPU runs, its items that are in no part before it, their processor
    seconds."""
    measured, seen, found = rates(draws), set[str](), []
    for part in parts():
        if part.gpu:
            continue
        new = [item for item in part.items() if json.dumps(item) not in seen]
        seen |= {json.dumps(item) for item in new}
        found.append((part, len(new), sum(map(measured.of, new))))
    return found


def hours(seconds: float) -> float:
    """Of a clock, where ``CORES`` work."""
    return seconds / CORES / 3600


def main() -> int:
    draws = study_draws()
    total = 0.0
    for part, count, seconds in predicted(draws):
        total += seconds
        print(f"{hours(seconds):5.2f} h  {count:4} items  {_called(part)}")
    passed_by = for_gpu()
    left = [item for item in missing(plan(False), draws) if item not in passed_by]
    rest = sum(map(rates(draws).of, left))
    print(f"{hours(total):5.2f} h  in all, of {HOURS:g} on {CORES} cores; left {hours(rest):.2f} h")
    return 0


def _called(part: Part) -> str:
    places = f"{', '.join(part.backbones)}: {', '.join(part.data)}"
    draws = f"draws {part.seeds.start + 1} to {part.seeds.stop}"
    return f"{part.named.__name__} on {places}; {part.per_class} a class, {draws}"


if __name__ == "__main__":
    sys.exit(main())
