"""200 rows against 64: what more labelled rows cost, the same fit on both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks import figures
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.rows import Row, mixed
from benchmarks.supertune_side import own_cache
from benchmarks.timing import Laps, interleaved, lap

FEW, MANY, RATIO = 64, 200, 3.2
METHODS = ("linear_probe", "lora")


def plan(tiny: bool) -> list[Item]:
    if tiny:
        return [{"method": "linear_probe", "few": 16, "many": 32, "repeats": 1}]
    return [{"method": method, "few": FEW, "many": MANY, "repeats": 3} for method in METHODS]


def measure(item: Item) -> dict[str, Any]:
    """Seconds of a whole fit with its cross-validation, the cache of activations empty."""
    rows = mixed("r8", item["many"])
    contestants = {
        f"{count} rows": _fitting(item["method"], rows[:count])
        for count in (item["few"], item["many"])
    }
    return {"seconds": interleaved(contestants, item["repeats"], warm=int(item["repeats"] > 1))}


def _fitting(method: str, rows: Sequence[Row]) -> Any:
    import supertune

    def once() -> Laps:
        with own_cache():
            name = f"{len(rows)} rows"
            return {
                name: lap(
                    lambda: supertune.fit(
                        list(rows), backbone="minilm", method=method, max_length=64, folds=5
                    )
                )
            }

    return once


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in draws:
        few, many = (draw["seconds"][f"{draw[key]} rows"] for key in ("few", "many"))
        ratios = [b / a for a, b in zip(few, many, strict=True)]
        title = f"{draw['method']}: {draw['many']} rows / {draw['few']} rows"
        found.append(figures.median(title, ratios, "x the time", at_most=RATIO))
    return found


BENCHMARK = Benchmark(
    name="more_rows",
    question="What do 200 rows cost where 64 cost one?",
    how="News of R8 cut to 64 tokens, minilm; `supertune.fit` with 5 folds and its report, in "
    "process, an empty cache of activations each time, interleaved.",
    peers=(),
    plan=plan,
    measure=measure,
    figures=summarise,
)
