"""``python -m benchmarks.study_similar``: items of the same topic among the five nearest, by texts,
by pictures and by both.

Stamps with their captions, judged; emoji with their names, by which settings were chosen.
Resumable.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

import supertune
from benchmarks import study_command
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from supertune.catalogue.archives import members
from supertune.catalogue.data_sets import dataset
from supertune.catalogue.emoji import emoji
from supertune.catalogue.packages import archive
from supertune.catalogue.picture_formats import _TOPICS
from supertune.contracts import FloatArray, Picture

TOP, RESAMPLES = 5, 10_000
TEXT_BACKBONE, BACKBONES = "minilm", ("efficientnet-lite0", "dinov2-small")
KINDS = ("text", "picture", "both")
JUDGED = ("tux-stamps", BACKBONES[0])
_START = "usr/share/tuxpaint/stamps/"
_HOW = (
    "`supertune.similar_items` with its defaults: frozen vectors of length 1, text and picture at "
    f"equal weight, nothing is tuned. The share of the {TOP} nearest items that are of an item's "
    "own topic, itself left out, mean over all items; a topic has 12 items or more, of emoji "
    "one category has 5. "
    "**tux-stamps**: Tux Paint's stamps of 11 topics (the folder) that have a caption, each "
    "picture once; the text is the English sentence in the file beside the picture, the names of "
    "files and folders are not read. **emoji**: the name, 10 categories; the backbone of pictures "
    "was taken by these, equal weight beforehand. Intervals and paired differences by bootstrap "
    f"over items, {RESAMPLES:,} resamples. By chance: the mean share of the others that are of an "
    "item's topic."
)

Thing = tuple[Picture, str, str]  # a picture, what is said of it, and its topic


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [{"data": "tux-stamps", "backbone": BACKBONES[0], "most": 24}]
    return [
        {"data": data, "backbone": backbone, "most": 0} for data in _READ for backbone in BACKBONES
    ]


@cache
def _stamps() -> list[Thing]:
    """All that have a caption, each picture once, in the order of their names."""
    package = archive(dataset("tux-stamps").package, None)
    held = dict(members(package, _is_stamp))
    found: dict[str, Thing] = {}
    for name in sorted(held):
        topic = next((one for one in _TOPICS if name.startswith(f"{_START}{one}/")), None)
        said = held.get(name.removesuffix(".png") + ".txt")
        if name.endswith(".png") and topic is not None and said is not None:
            picture = Picture.of(held[name], f"{len(found)}.png")
            caption = said.decode("utf-8").splitlines()[0].strip()  # translations follow
            found.setdefault(picture.sha256, (picture, caption, topic))
    return list(found.values())


def _is_stamp(name: str) -> bool:
    return name.startswith(_START) and name.endswith((".png", ".txt"))


@cache
def _emoji() -> list[Thing]:
    return [(one.picture, one.words, one.category) for one in emoji()]


_READ = {"tux-stamps": _stamps, "emoji": _emoji}


def measure(item: Item) -> dict[str, Any]:
    things = _READ[item["data"]]()
    if item["most"]:
        things = things[:: max(1, len(things) // item["most"])][: item["most"]]
    topics = [topic for _, _, topic in things]
    given: dict[str, Any] = {
        "texts": [text for _, text, _ in things],
        "pictures": [picture for picture, _, _ in things],
    }
    start = time.process_time()
    each = {}
    for kind, names in zip(KINDS, (["texts"], ["pictures"], [*given]), strict=True):
        lists = supertune.similar_items(
            [str(i) for i in range(len(things))],
            **{name: given[name] for name in names},
            top=TOP,
            text_backbone=TEXT_BACKBONE,
            picture_backbone=item["backbone"],
            threads=1,
        )
        each[kind] = [
            sum(topics[int(one["item"])] == topics[int(name)] for one in near)
            for name, near in lists.items()
        ]
    counts = np.unique(topics, return_counts=True)[1]
    chance = float((counts * (counts - 1)).sum() / len(topics) / (len(topics) - 1))
    return {
        "items": len(things),
        "topics": len(counts),
        "chance": chance,
        **{kind: "".join(map(str, hits)) for kind, hits in each.items()},
        "processor_seconds": time.process_time() - start,
    }


def figures(draws: Sequence[Draw]) -> list[Figure]:
    """Precision by each kind, and what both have on either alone."""
    found = []
    for draw in draws:
        place = f"{draw['data']}, {draw['backbone']}"
        hits = {kind: np.array([*map(int, draw[kind])]) / TOP for kind in KINDS}
        found += [_over_items(f"{place}, {k}: precision@{TOP}", hits[k]) for k in KINDS]
        chance = draw["chance"]
        found.append(Figure(f"{place}, by chance", chance, chance, chance, "", "exact"))
        judged = (draw["data"], draw["backbone"]) == JUDGED
        for kind in KINDS[:-1]:
            name = f"{place}, both - {kind}: gain in precision@{TOP}"
            found.append(_over_items(name, hits["both"] - hits[kind], above=judged))
    return found


def _over_items(name: str, each: FloatArray, *, above: bool = False) -> Figure:
    """The mean with its interval by bootstrap over items."""
    drawn = np.random.default_rng(0).integers(0, len(each), (RESAMPLES, len(each)))
    low, high = np.quantile(each[drawn].mean(axis=1), (0.025, 0.975))
    aim = ("lower end above 0", bool(low > 0)) if above else ()
    spread = f"95 % interval over {len(each):,} items"
    return Figure(name, float(each.mean()), float(low), float(high), "", spread, *aim)


STUDY = Benchmark(
    name="study_similar",
    question="Are items of the same topic found by text and picture together more often than by "
    "either alone?",
    how=_HOW,
    peers=(),
    plan=plan,
    measure=measure,
    figures=figures,
)


if __name__ == "__main__":
    sys.exit(study_command.main(STUDY))
