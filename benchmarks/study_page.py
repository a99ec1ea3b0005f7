"""docs/which_method_when.md, from the draws of the study: ``python -m benchmarks.study_page``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import study_figures as figures
from benchmarks import study_sentences as sentences
from benchmarks.benchmark import RESULTS as ALL_RESULTS
from benchmarks.benchmark import Draw, draws_of
from benchmarks.page import number, table
from benchmarks.study_figures import LINEAR, Cell, Cells
from benchmarks.study_plan import outdated
from benchmarks.timing import BUSY, ROOT

RESULTS = ALL_RESULTS / "study_methods"
PAGE = ROOT / "docs" / "which_method_when.md"
PROMPTS = ("prompt_tuning", "p_tuning", "prefix_tuning", "deep_prompts")
HOW = (
    "A draw: so many labelled rows a class, other rows to judge by, texts cut to 64 tokens, "
    "default options, no cross-validation; the seed draws the rows and starts the method. The "
    "backbone is loaded beforehand. The activation cache begins empty in each draw, so the "
    "seconds of a fit include encoding the labelled rows and no method lives on another's work. "
    "Seconds on a CPU are the processor's, of all threads together, as other programs may run "
    "beside it; on a GPU they are those of a clock. "
    "Bytes are those of the tuned numbers and their settings in a model folder. Peak memory is "
    "that of a fresh process that fits and answers, imports included; on a GPU, of the weights and "
    "what torch allocated on top of them."
)
OPENING = """# Which method when

Written by `python -m benchmarks.study_page` from `benchmarks/results/study_methods/`, which
`make study-methods` fills and goes on with. Every sentence here is computed from those draws.
"""


def draws(folder: Path = RESULTS) -> list[Draw]:
    """Every draw of every file of the study."""
    return [draw for path in sorted(folder.rglob("*.json")) for draw in draws_of(path)]


def text(folder: Path = RESULTS) -> str:
    """The whole page."""
    ever = draws(folder)
    everything = [draw for draw in ever if not outdated(draw)]
    found = figures.cells(everything)
    parts = [
        OPENING,
        *_coverage(folder, everything, len(ever) - len(everything)),
        "## In short",
        "",
    ]
    parts += sentences.in_short(found)
    parts += ["## Beside a linear head", "", sentences.RULE, "", *_beside_linear(found)]
    for title, sets in figures.GROUPS.items():
        parts += _group(found, title, sets)
    parts += _prompts(found)
    parts += _failures(everything)
    return "\n".join(parts).rstrip() + "\n"


def _coverage(folder: Path, everything: Sequence[Draw], outdated_draws: int) -> list[str]:
    planned = [
        json.loads(path.read_text("utf-8"))["planned"] for path in sorted(folder.rglob("*.json"))
    ]
    failed = sum("failed" in draw for draw in everything)
    busy = sum(draw["others"] > BUSY for draw in everything)
    distinct = {_identity(draw) for draw in everything}
    lines = [
        f"{len(distinct):,} of {max(planned, default=0):,} planned draws were run; {failed} failed "
        f"(see the end). In {busy} of them other programs used more than {BUSY:.0%} of the "
        "machine."
        + (
            f" {outdated_draws} more were made under defaults that have changed since, and are "
            "left out."
            if outdated_draws
            else ""
        ),
        "",
        HOW,
        "",
    ]
    places: dict[str, list[Draw]] = {}
    for draw in everything:
        places.setdefault(draw["on"], []).append(draw)
    for place, part in places.items():
        backbones = ", ".join(
            f"`{one}`" for one in figures.distinct(draw["backbone"] for draw in part)
        )
        lines.append(f"- {len(part):,} draws on {place}: {backbones}")
    return [*lines, ""]


def _identity(draw: Draw) -> tuple[Any, ...]:
    keys = ("backbone", "data", "per_class", "seed", "test_rows")
    return (figures.name(draw), *(draw[key] for key in keys))


def _beside_linear(found: Cells) -> list[str]:
    """One table a number of labels: pooled over data sets, one row a method and backbone."""
    lines: list[str] = []
    for per_class in sorted({cell.per_class for cell in found}):
        rows, words = [], []
        for backbone in figures.distinct(cell.backbone for cell in figures.ordered(found)):
            counts: dict[str, list[str]] = {}
            for method in _methods(found, backbone):
                values = figures.beside_linear(found, backbone, method, per_class)
                if method == LINEAR or not values:
                    continue
                word = figures.verdict(values)
                counts.setdefault(word, []).append(method)
                rows.append([f"`{method}`", backbone, *_difference(values), word])
            if counts:
                words.append(sentences.counted(backbone, per_class, counts))
        if rows:
            columns = ("method", "backbone", "points", "95 % interval", "draws", "it is")
            lines += [f"### {per_class} labels a class", "", *words, *table(columns, rows), ""]
    return lines or ["No method was drawn beside a linear head yet.", ""]


def _difference(values: Sequence[float]) -> list[str]:
    one = figures.interval(values)
    span = f"{one.low:+.1f} to {one.high:+.1f}" if len(values) > 1 else "one draw"
    return [f"{one.value:+.1f}", span, str(len(values))]


def _group(found: Cells, title: str, sets: Sequence[str]) -> list[str]:
    part = {cell: by_seed for cell, by_seed in found.items() if cell.data in sets}
    if not part:
        return []
    asked = sorted({(cell.data, cell.per_class) for cell in part}, key=lambda one: (one[1], one))
    devices = sorted({draw["device"] for by_seed in part.values() for draw in by_seed.values()})
    columns = [
        *("method", "backbone"),
        *(f"{data}, {per_class} a class" for data, per_class in asked),
        *(f"s to {what}, {device}" for device in devices for what in ("fit", "predict")),
        *("tuned numbers", "bytes", "peak memory"),
    ]
    floors = {data: _floor(part, data) for data in sets}
    told = ", ".join(f"{data} {share:.1f} %" for data, share in floors.items() if share)
    lines = [
        f"## {title}",
        "",
        "Accuracy in percent, mean ± standard deviation over draws (their number in brackets). "
        f"The commonest label of the test rows: {told}.",
        "",
    ]
    for kind, of_peft in (("", False), ("The types of peft:", True)):
        rows = [
            _row(part, backbone, method, asked, devices)
            for backbone in figures.distinct(cell.backbone for cell in figures.ordered(part))
            for method in _methods(part, backbone)
            if method.startswith("peft:") == of_peft
        ]
        if rows:
            lines += [*([kind, ""] if kind else []), *table(columns, rows), ""]
    return lines


def _floor(part: Cells, data: str) -> float:
    shares = [
        100 * draw["commonest"]
        for cell in part
        if cell.data == data
        for draw in part[cell].values()
    ]
    return sum(shares) / len(shares) if shares else 0.0


def _row(
    part: Cells,
    backbone: str,
    method: str,
    asked: Sequence[tuple[str, int]],
    devices: Sequence[str],
) -> list[str]:
    own = [part.get(Cell(backbone, method, data, count), {}) for data, count in asked]
    scores = [f"{figures.accuracy(one)} ({len(one)})" if one else "" for one in own]
    everything = [draw for one in own for draw in one.values()]
    times = []
    for device in devices:
        of_device = dict(enumerate(draw for draw in everything if draw["device"] == device))
        for what in ("fit", "predict"):
            median = figures.seconds(of_device, what).get(device)
            times.append("" if median is None else number(median))
    peaks = [draw["peak_memory_bytes"] for draw in everything if "peak_memory_bytes" in draw]
    return [
        *(f"`{method}`", backbone, *scores, *times),
        _range(sorted({draw["tuned_parameters"] for draw in everything})),
        _range(sorted({draw["bytes"] for draw in everything})),
        f"{max(peaks) / 2**20:,.0f} MiB" if peaks else "",
    ]


def _range(values: Sequence[int]) -> str:
    ends = dict.fromkeys((values[0], values[-1]))
    return " to ".join(f"{value:,}" for value in ends)


def _prompts(found: Cells) -> list[str]:
    """Prompt tuning's known complaint is accuracy that varies with the seed."""
    rows = []
    for cell in figures.ordered(found):
        spread = figures.accuracy(found[cell])
        if cell.method in PROMPTS and spread.draws > 1:
            linear = found.get(cell.by(LINEAR), {})
            of_linear = f"{figures.accuracy(linear).sd:.1f}" if len(linear) > 1 else ""
            rows.append([f"`{cell.method}`", cell.backbone, cell.data, str(cell.per_class),
                         f"{spread.mean:.1f}", f"{spread.low:.1f} to {spread.high:.1f}",
                         f"{spread.sd:.1f}", of_linear, str(spread.draws)])  # fmt: skip
    if not rows:
        return []
    wide = [row for row in rows if float(row[6]) > 5]
    columns = ("method", "backbone", "data", "labels a class", "mean", "extremes",
               "standard deviation", "that of a linear head", "draws")  # fmt: skip
    return [
        "## How much prompt tuning varies over seeds",
        "",
        "A seed is both the rows and the start, so a part of this is the rows', which a linear "
        f"head on the same backbone shows. In {len(wide)} of {len(rows)} the standard deviation "
        "is above 5 points.",
        "",
        *table(columns, rows),
        "",
    ]


def _failures(everything: Sequence[Draw]) -> list[str]:
    kinds: dict[tuple[str, ...], list[Draw]] = {}
    for draw in everything:
        if "failed" in draw:
            key = (f"`{figures.name(draw)}`", draw["backbone"], draw["failed"], draw["why"])
            kinds.setdefault(key, []).append(draw)
    if not kinds:
        return []
    rows = [
        [method, backbone, ", ".join(figures.distinct(one["data"] for one in part)), f"`{code}`",
         why.replace("|", "\\|"), str(len(part))]
        for (method, backbone, code, why), part in kinds.items()
    ]  # fmt: skip
    columns = ("method", "backbone", "data", "error", "which says", "draws")
    return ["## What failed", "", *table(columns, rows), ""]


def _methods(found: Cells, backbone: str) -> list[str]:
    """Of one backbone, the highest mean accuracy over everything first."""
    means: dict[str, list[float]] = {}
    for cell, by_seed in found.items():
        if cell.backbone == backbone:
            means.setdefault(cell.method, []).append(figures.accuracy(by_seed).mean)
    return sorted(means, key=lambda method: (-sum(means[method]) / len(means[method]), method))


def write() -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write()
