"""docs/benchmarks.md, from the JSON results and nothing else: ``python -m benchmarks.page``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.benchmark import RESULTS
from benchmarks.timing import BUSY, ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
ORDER = (
    "linear_probe",
    "grid_search",
    "few_labels",
    "peft_trainer",
    "peft_trainer_gpu",
    "peft_speech",
    "pictures",
    "predict",
    "engines",
    "translating",
    "many_pictures",
    "recommending",
    "remote",
    "many_adapters",
    "sharing",
    "many_tasks",
    "workers",
    "more_rows",
    "saved_sizes",
    "roofline",
    "startup",
)
# Studies of what is said about a fit have a page of their own, `benchmarks.evidence`.
EVIDENCE = (
    "study_coverage",
    "study_forecast",
    "study_labels",
    "study_suspects",
    "study_unlabeled",
    "study_abstaining",
    "study_shift",
    "study_explanations",
    "study_vision",
    "study_sound",
    "study_speech",
    "study_translation",
    "study_trusted_translations",
    "study_long_file",
    "study_bulk",
    "study_text_generation",
    "study_generation",
    "study_detection",
    "study_curves",
    "study_recommendation",
    "study_similar",
)
OPENING = """# Speed and memory

Written by `python -m benchmarks.page` from `benchmarks/results/*.json`; `make bench` measures
again. Ratios compare what was measured side by side in one run; seconds are of that machine.
"""


def text(folder: Path = RESULTS) -> str:
    """The whole page."""
    found = {
        path.stem: json.loads(path.read_text("utf-8"))
        for path in folder.glob("*.json")
        if path.stem not in EVIDENCE
    }
    names = [name for name in ORDER if name in found] + sorted(set(found) - set(ORDER))
    absent = [name for name in ORDER if name not in found]
    closing = [f"Not measured yet: {', '.join(absent)}.", ""] if absent else []
    return "\n".join([OPENING, *closing, *(_section(name, found[name]) for name in names)])


def _section(name: str, result: Mapping[str, Any]) -> str:
    disturbed = sum(draw.get("others", 0.0) > BUSY for draw in result["draws"])
    lines = [
        f"## {name}",
        "",
        result["question"],
        "",
        result["how"],
        "",
        circumstances(result),
    ]
    if not result["whole"]:
        lines += ["", "The plan was not finished: what is missing was not measured yet."]
    if disturbed:
        lines += [
            "",
            f"In {disturbed} of {len(result['draws'])} draws other programs used more than "
            f"{BUSY:.0%} of the machine.",
        ]
    lines += ["", *table(FIGURES, [figure(one) for one in result["figures"]])]
    lines += ["", "Every draw:", "", *_draws(result["draws"]), ""]
    return "\n".join(lines)


FIGURES = ("figure", "value", "spread", "target", "met")


def circumstances(result: Mapping[str, Any]) -> str:
    machine, versions = result["machine"], result["versions"]
    packages = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        f"{result['measured']}, {machine['system']}, {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, threads: {machine['threads']}; "
        f"{packages}."
    )


def figure(one: Mapping[str, Any]) -> list[str]:
    met = {True: "yes", False: "**no**", None: ""}[one["met"]]
    spread = f"{number(one['low'])} to {number(one['high'])} ({one['spread']})"
    if one["low"] == one["high"]:
        spread = one["spread"] if one["spread"] != "extremes of 1" else ""
    return [one["name"], f"{number(one['value'])} {one['unit']}", spread, one["target"], met]


def _draws(draws: Sequence[Mapping[str, Any]]) -> list[str]:
    """One table a kind of draw: each has its own columns."""
    kinds: dict[tuple[str, ...], list[list[str]]] = {}
    for draw in draws:
        flat = dict(_flat(draw))
        kinds.setdefault(tuple(flat), []).append(list(flat.values()))
    lines: list[str] = []
    for columns, cells in kinds.items():
        lines += [*([""] if lines else []), *table(columns, cells)]
    return lines


def _flat(draw: Mapping[str, Any]) -> list[tuple[str, str]]:
    cells: list[tuple[str, str]] = []
    for key, value in draw.items():
        if isinstance(value, dict) and value.keys() == {"value", "low", "high"}:
            told = [_cell(one, key) for one in value.values()]
            cells.append((key, f"{told[0]} [{told[1]}, {told[2]}]"))
        elif isinstance(value, dict):
            cells += [(f"{key}: {name}", told) for name, told in _flat(value)]
        elif key == "others":
            cells.append(("others' share of the machine", f"{value:.0%}"))
        else:
            cells.append((key, _cell(value, key)))
    return cells


def _cell(value: Any, key: str) -> str:
    if isinstance(value, list):
        return " ".join(_cell(one, key) for one in value) or "none"
    if key == "peak_memory_bytes":
        return f"{value / 2**20:.0f} MiB"
    return number(value) if isinstance(value, float) else str(value)


def number(value: float) -> str:
    """Three digits that mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2g}" if 0 < abs(value) < 0.01 else f"{value:.3g}"


def table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(row) + " |" for row in cells),
    ]


def write() -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write()
