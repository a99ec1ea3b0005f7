"""What a benchmark is, and how its draws are run, kept and resumed."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.figures import Figure
from benchmarks.timing import BUSY, ROOT, Bystanders
from supertune.errors import EnvironmentFault

RESULTS = ROOT / "benchmarks" / "results"

HOISTED = ("defaults", "on")  # what draws of a study say of themselves that is long and repeated
Item = dict[str, Any]  # what one draw is about, e.g. {"data": "r8", "seed": 0}
Draw = dict[str, Any]  # an item and what was measured


@dataclass(frozen=True)
class Benchmark:
    """Attributes:
    question, how: what is asked, and how it is answered, in words for the page.
    peers: distributions beyond supertune's own that it measures.
    plan: the items, in the order of their worth; ``plan(True)`` is tiny, to try the code.
    measure: one item, measured.
    figures: pure, from draws to figures.
    """

    name: str
    question: str
    how: str
    peers: tuple[str, ...]
    plan: Callable[[bool], list[Item]]
    measure: Callable[[Item], dict[str, Any]]
    figures: Callable[[Sequence[Draw]], list[Figure]]


@dataclass(frozen=True)
class Demands:
    """How much of a plan to run.

    Attributes:
        budget: seconds for one benchmark, kept between draws.
        keep: which of the draws that are there; the others are measured again.
        wanted: which items; all of them unless something else is said.
        elsewhere: draws of other files, which need not be measured again.
    """

    again: bool = False
    again_busy: bool = False
    tiny: bool = False
    budget: float = float("inf")
    keep: Callable[[Draw], bool] = lambda draw: True
    wanted: Callable[[Item], bool] = lambda item: True
    elsewhere: Sequence[Draw] = ()


def run(benchmark: Benchmark, folder: Path, demands: Demands) -> dict[str, Any]:
    """Measure what is not there yet; the result as it was saved.

    Raises:
        EnvironmentFault: ``benchmark_needs`` when a peer is not installed.
    """
    refuse(benchmark)
    path = folder / f"{benchmark.name}.json"
    kept = [] if demands.again else _kept(path, demands)
    plan = benchmark.plan(demands.tiny)
    left = [item for item in missing(plan, [*kept, *demands.elsewhere]) if demands.wanted(item)]
    started, longest = time.monotonic(), 0.0
    for number, item in enumerate(left, start=1):
        begun = time.monotonic()
        if begun - started + longest > demands.budget:
            _say(f"{benchmark.name}: {number - 1} of {len(left)} draws fit into the budget")
            break
        kept.append(_measured(benchmark, item, f"{number}/{len(left)}"))
        longest = max(longest, time.monotonic() - begun)
        save(path, result(benchmark, kept, plan))
    return save(path, result(benchmark, kept, plan))


def refuse(benchmark: Benchmark) -> None:
    if missing := machine.missing(benchmark.peers):
        raise EnvironmentFault(
            "benchmark_needs",
            f"The benchmark {benchmark.name} compares with what is not installed.",
            received=f"missing: {', '.join(missing)}",
            allowed="the extra `bench`",
            next="`make bench` installs it; or pip install 'supertune[bench]'.",
        )


def _kept(path: Path, demands: Demands) -> list[Draw]:
    if not path.exists():
        return []
    return [
        draw
        for draw in draws_of(path)
        if demands.keep(draw) and not (demands.again_busy and draw["others"] > BUSY)
    ]


def draws_of(path: Path) -> list[Draw]:
    """The draws of a saved result."""
    saved = json.loads(path.read_text("utf-8"))
    held: dict[str, list[Any]] = saved.get("shared", {})
    return [
        {key: held[key][value] if key in held else value for key, value in draw.items()}
        for draw in saved["draws"]
    ]


def missing(plan: Sequence[Item], draws: Sequence[Draw]) -> list[Item]:
    """The items of ``plan`` that none of ``draws`` is of."""
    shapes = {tuple(sorted(item)) for item in plan}
    there = {
        _identity(draw, shape) for shape in shapes for draw in draws if set(shape) <= draw.keys()
    }
    return [item for item in plan if _identity(item, tuple(sorted(item))) not in there]


def _identity(values: Item, shape: tuple[str, ...]) -> str:
    return json.dumps([[key, values[key]] for key in shape])


def _measured(benchmark: Benchmark, item: Item, place: str) -> Draw:
    words = ", ".join(f"{key} {value}" for key, value in item.items())
    _say(f"{benchmark.name} {place}: {words}")
    with Bystanders() as bystanders:
        found = benchmark.measure(item)
    if bystanders.share > BUSY:
        _say(f"  others used {bystanders.share:.0%} of the machine meanwhile")
    return {**item, **_short(found), "others": round(bystanders.share, 3)}


def _short(value: Any) -> Any:
    """Floats with six digits, so that the JSON stays small."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_short(one) for one in value]
    return value


def result(benchmark: Benchmark, draws: Sequence[Draw], plan: Sequence[Item]) -> dict[str, Any]:
    return {
        "benchmark": benchmark.name,
        "question": benchmark.question,
        "how": benchmark.how,
        "measured": datetime.now(UTC).date().isoformat(),
        "planned": len(plan),
        "whole": not missing(plan, draws),
        "machine": machine.described(),
        "versions": machine.versions(benchmark.peers),
        "figures": _short([figure.as_dict() for figure in benchmark.figures(draws)]),
        "draws": list(draws),
    }


def save(path: Path, found: dict[str, Any]) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    head = {key: value for key, value in found.items() if key not in ("draws", "figures")}
    shared, draws = _hoisted(found["draws"])
    lists = {"figures": _lines(found["figures"]), "draws": _lines(draws)}
    body = json.dumps(head, indent=1, ensure_ascii=False)[:-2]
    if shared:
        body += f',\n "shared": {json.dumps(shared, ensure_ascii=False)}'
    tail = "".join(f',\n "{key}": [\n{lines}\n ]' for key, lines in lists.items())
    partial.write_text(f"{body}{tail}\n}}\n", encoding="utf-8")
    os.replace(partial, path)
    return found


def _hoisted(draws: Sequence[Draw]) -> tuple[dict[str, list[Any]], list[Draw]]:
    """What many draws have in common said once, by key; a draw then has its place there."""
    said = {
        key: list(dict.fromkeys(json.dumps(draw[key]) for draw in draws))
        for key in HOISTED
        if all(key in draw for draw in draws)
    }
    shared = {key: found for key, found in said.items() if 2 * len(found) < len(draws)}
    there = {key: {one: place for place, one in enumerate(found)} for key, found in shared.items()}
    return {key: [json.loads(one) for one in found] for key, found in shared.items()}, [
        {
            key: there[key][json.dumps(value)] if key in there else value
            for key, value in draw.items()
        }
        for draw in draws
    ]


def _lines(values: Sequence[Any]) -> str:
    """One draw or figure a line, so that a change of one is seen as one."""
    return ",\n".join("  " + json.dumps(value, ensure_ascii=False) for value in values)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
