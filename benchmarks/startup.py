"""How long a person waits for ``supertune --help``, and what an import drags in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import figures
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.timing import ROOT, Laps, interleaved, lap

HEAVY = ("torch", "transformers", "peft", "sklearn", "scipy", "pandas", "pyarrow")
LOADED = f"import supertune, sys; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"


def plan(tiny: bool) -> list[Item]:
    return [{"repeats": 2 if tiny else 21}]


def measure(item: Item) -> dict[str, Any]:
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import supertune": [sys.executable, "-c", "import supertune"],
        "supertune --help": [*_program(), "--help"],
    }
    laps = interleaved(
        {name: _timed(name, command) for name, command in commands.items()}, item["repeats"]
    )
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {"seconds": laps, "heavy packages loaded": loaded.stdout.split()}


def _program() -> list[str]:
    beside = Path(sys.executable).parent / "supertune"
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "supertune"]


def _timed(name: str, command: Sequence[str]) -> Any:
    def once() -> Laps:
        return {
            name: lap(
                lambda: subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
            )
        }

    return once


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found = []
    for draw in draws:
        seconds = draw["seconds"]
        bare, shown = seconds["python -c pass"], seconds["supertune --help"]
        beyond = [a - 3 * b for a, b in zip(shown, bare, strict=True)]
        loaded = float(len(draw["heavy packages loaded"]))
        found += [
            figures.median("supertune --help", shown, "s", at_most=0.4),
            figures.median(
                "supertune --help, beyond 3 x `python -c pass`", beyond, "s", at_most=0.25
            ),
            figures.median("import supertune", seconds["import supertune"], "s"),
            figures.median("python -c pass", bare, "s"),
            figures.median(
                "heavy packages that `import supertune` loads", [loaded], "packages", at_most=0
            ),
        ]
    return found


BENCHMARK = Benchmark(
    name="startup",
    question="How long does `supertune --help` take, and what does `import supertune` load?",
    how="Fresh processes of the same interpreter, interleaved, files warm in the system's cache. "
    f"Heavy packages looked for: {', '.join(HEAVY)}.",
    peers=(),
    plan=plan,
    measure=measure,
    figures=summarise,
)
