"""docs/evidence.md, from the JSON results of the studies: ``python -m benchmarks.evidence``.

What the product says about itself, each promise beside what a study found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.benchmark import RESULTS
from benchmarks.timing import ROOT

PAGE = ROOT / "docs" / "evidence.md"
OPENING = """# Evidence

Written by `python -m benchmarks.evidence` from `benchmarks/results/study_*.json`; `make
study-coverage` and its like measure again. First what was promised and not kept, then everything
that was promised, then how each study was made.
"""


def text(folder: Path = RESULTS) -> str:
    """The whole page."""
    found = {
        name: json.loads((folder / f"{name}.json").read_text("utf-8"))
        for name in page.EVIDENCE
        if (folder / f"{name}.json").exists()
    }
    absent = [name for name in page.EVIDENCE if name not in found]
    promised = [
        (result["benchmark"], one)
        for result in found.values()
        for one in result["figures"]
        if one["met"] is not None
    ]
    lines = [OPENING]
    if absent:
        lines += [f"Not measured yet: {', '.join(absent)}.", ""]
    lines += ["## What is not kept", ""]
    broken = [each for each in promised if not each[1]["met"]]
    lines += _promises(broken, "Everything is kept." if promised else "Nothing was measured.")
    lines += ["## What was promised", "", *_promises(promised, "Nothing was measured.")]
    return "\n".join([*lines, *(_study(result) for result in found.values())])


def _promises(found: Sequence[tuple[str, Mapping[str, Any]]], nothing: str) -> list[str]:
    if not found:
        return [nothing, ""]
    cells = [[name, *page.figure(one)] for name, one in found]
    return [*page.table(("study", *page.FIGURES), cells), ""]


def _study(result: Mapping[str, Any]) -> str:
    lines = [f"## {result['benchmark']}", "", result["question"], "", result["how"], ""]
    lines += [page.circumstances(result), ""]
    if not result["whole"]:
        lines += ["The plan was not finished: what is missing was not measured yet.", ""]
    others = [one for one in result["figures"] if one["met"] is None]
    if others:
        lines += [*page.table(page.FIGURES, [page.figure(one) for one in others]), ""]
    return "\n".join(lines)


def write() -> None:
    PAGE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write()
