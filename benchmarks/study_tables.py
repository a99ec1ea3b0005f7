"""The tables of the study's page, from its draws. All pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from benchmarks import study_figures as figures
from benchmarks import study_sentences as sentences
from benchmarks.benchmark import Draw
from benchmarks.page import number, table
from benchmarks.study_figures import FEWEST, LINEAR, Beside, Cell, Cells
from benchmarks.study_plan import PROMPTS
from supertune.catalogue.data_sets import dataset
from supertune.catalogue.entries import model

ASKED = "zero_shot_prompt"
WIDE = 5  # points of standard deviation over draws
PEAK = "peak_memory_bytes"
DEVICES = {"cpu": "CPU", "cuda": "GPU"}


def to_try(found: Cells) -> list[str]:
    """One row a data set and number of labels; those without an answer in a sentence."""
    rows, without = [], []
    for (data, per_class), chosen in sentences.cases(found):
        if chosen is None:
            without.append(f"`{data}` with {per_class} labels a class")
            continue
        rows.append(
            [
                *(_texts(data), str(per_class)),
                *_choice(found, chosen.simplest),
                *(_choice(found, chosen.best) if chosen.simplest != chosen.best else _SAME),
                sentences.against_linear(found, chosen),
                str(chosen.compared) + (" (a)" if chosen.constant else ""),
            ]
        )
    columns = ("texts", "labels a class", "try first", "accuracy", "s to fit", "highest mean",
               "accuracy", "s to fit", "beside its linear head, points", "compared")  # fmt: skip
    noted = any(row[-1].endswith("(a)") for row in rows)
    return [
        *([*table(columns, rows), ""] if rows else []),
        *(
            ["(a) Not shown to be better than always giving the commonest answer.", ""]
            if noted
            else []
        ),
        *(
            [
                f"No answer yet, for want of two methods with {FEWEST} draws: "
                f"{', '.join(without)}.",
                "",
            ]
            if without
            else []
        ),
    ]


_SAME = ("the same", "", "")


def _texts(data: str) -> str:
    return f"{dataset(data).summary} (`{data}`)"


def backbones(found: Cells) -> list[str]:
    """What stands behind their names."""
    names = figures.distinct(cell.backbone for cell in figures.ordered(found))
    known = [(name, model(name)) for name in names]
    return [f"- `{name}`: {entry.summary}." for name, entry in known if entry is not None]


def _choice(found: Cells, cell: Cell) -> tuple[str, str, str]:
    by_seed = found[cell]
    on = "" if cell.backbone == "none" else f" on {cell.backbone}"
    spread = figures.accuracy(by_seed)
    return f"`{cell.method}`{on}", f"{spread} ({spread.draws})", _seconds(by_seed)


def _seconds(by_seed: Mapping[int, Draw]) -> str:
    """To fit, on each kind of device apart."""
    fit = figures.seconds(by_seed, "fit").items()
    return ", ".join(f"{float(f'{value:.2g}'):g} {DEVICES[kind]}" for kind, value in fit)


def beside_linear(found: Cells, of_peft: bool) -> list[str]:
    """One row a method, backbone and number of labels, over all data sets."""
    rows = [
        [
            *(f"`{row.method}`", row.backbone, str(row.per_class), *_difference(row)),
            *(row.verdict, "" if row.times is None else _ratio(row)),
        ]
        for row in _all_beside(found)
        if row.method.startswith("peft:") == of_peft and len(row.differences) >= FEWEST
    ]
    columns = ("method", "backbone", "labels a class", "points", "95 % interval", "draws", "it is",
               "times the seconds to fit")  # fmt: skip
    return [*table(columns, rows), ""] if rows else []


def _ratio(row: Beside) -> str:
    return f"{float(f'{row.times:.2g}'):g} {DEVICES[row.device]}"


def _all_beside(found: Cells) -> Iterable[Beside]:
    for per_class in sorted({cell.per_class for cell in found}):
        for backbone in figures.distinct(cell.backbone for cell in figures.ordered(found)):
            yield from figures.beside(found, backbone, per_class)


def beside_prompt(found: Cells) -> list[str]:
    """Where a prompt was asked of most labels: each method of that backbone beside it."""
    asked = [cell for cell in figures.ordered(found) if cell.method == ASKED]
    most = max((cell.per_class for cell in asked), default=0)
    rows = []
    for prompt in (cell for cell in asked if cell.per_class == most):
        others = [cell for cell in found if cell.by(ASKED) == prompt and cell != prompt]
        values = {cell: figures.differences(found, cell, prompt) for cell in others}
        few = [cell for cell in others if len(values[cell]) >= FEWEST]
        rows += [
            [
                *(f"`{cell.method}`", cell.backbone, cell.data, str(cell.per_class)),
                f"{figures.accuracy(found[cell])} ({len(found[cell])})",
                sentences.interval(figures.interval(values[cell])),
                figures.verdict(values[cell], len(few)),
            ]
            for cell in sorted(few, key=lambda cell: (-sum(values[cell]), cell))
        ]
    columns = ("method", "backbone", "data", "labels a class", "accuracy", "points, 95 % interval",
               "it is")  # fmt: skip
    return [*table(columns, rows), ""] if rows else []


def _difference(row: Beside) -> list[str]:
    one = figures.interval(row.differences)
    return [f"{one.value:+.1f}", f"{one.low:+.1f} to {one.high:+.1f}", str(len(row.differences))]


def accuracy(found: Cells, title: str, sets: Sequence[str]) -> list[str]:
    part = {cell: by_seed for cell, by_seed in found.items() if cell.data in sets}
    if not part:
        return []
    asked = sorted({(cell.data, cell.per_class) for cell in part}, key=lambda one: (one[1], one))
    devices = sorted({draw["device"] for by_seed in part.values() for draw in by_seed.values()})
    columns = [
        *("method", "backbone"),
        *(f"{data}, {per_class} a class" for data, per_class in asked),
        *(
            f"{what}, {DEVICES[device]}"
            for device in devices
            for what in ("s to fit", "s to predict", "peak memory")
        ),
        *("tuned numbers", "bytes"),
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
    rows = [
        _row(part, backbone, method, asked, devices)
        for backbone in figures.distinct(cell.backbone for cell in figures.ordered(part))
        for method in _methods(part, backbone)
        if not method.startswith("peft:")
    ]
    return [*lines, *table(columns, rows), ""] if rows else []


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
    costs = []
    for device in devices:
        of_device = dict(enumerate(draw for draw in everything if draw["device"] == device))
        for what in ("fit", "predict"):
            median = figures.seconds(of_device, what).get(device)
            costs.append("" if median is None else number(median))
        costs.append(_peaks(of_device.values()))
    return [
        *(f"`{method}`", backbone, *scores, *costs),
        _range(sorted({draw["tuned_parameters"] for draw in everything})),
        _range(sorted({draw["bytes"] for draw in everything})),
    ]


def _peaks(draws: Iterable[Draw]) -> str:
    """The highest of one kind of device: a process and what lies on a card are no comparison."""
    peaks = [draw[PEAK] for draw in draws if PEAK in draw]
    return f"{max(peaks) / 2**20:,.0f} MiB" if peaks else ""


def _range(values: Sequence[int]) -> str:
    ends = dict.fromkeys((values[0], values[-1]))
    return " to ".join(f"{value:,}" for value in ends)


def peft_types(found: Cells) -> list[str]:
    """What each type of peft gives and costs, one row a backbone, data set and number of labels."""
    rows = []
    for cell in sorted(figures.ordered(found), key=lambda one: (one.backbone, one.method)):
        if not cell.method.startswith("peft:"):
            continue
        draws = list(found[cell].values())
        rows.append(
            [
                *(f"`{cell.method}`", cell.backbone, cell.data, str(cell.per_class)),
                f"{figures.accuracy(found[cell])} ({len(draws)})",
                *(_seconds(found[cell]), _peaks(draws)),
                _range(sorted({draw["tuned_parameters"] for draw in draws})),
                _range(sorted({draw["bytes"] for draw in draws})),
            ]
        )
    columns = ("type", "backbone", "data", "labels a class", "accuracy", "s to fit",
               "peak memory", "tuned numbers", "bytes")  # fmt: skip
    return [*table(columns, rows), ""] if rows else []


def prompts(found: Cells) -> list[str]:
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
    columns = ("method", "backbone", "data", "labels a class", "mean", "extremes",
               "standard deviation", "that of a linear head", "draws")  # fmt: skip
    wide = [row for row in rows if float(row[6]) > WIDE]
    return [
        "A seed is both the rows and the start, so a part of this is the rows', which a linear "
        f"head on the same backbone shows. In {len(wide)} of {len(rows)} the standard deviation "
        f"is above {WIDE:g} points{_where(wide)}.",
        "",
        *table(columns, rows),
        "",
    ]


def _where(wide: Sequence[Sequence[str]]) -> str:
    """Fewest labels first: that is where starts decide."""
    counts = Counter(int(row[3]) for row in wide)
    told = ", ".join(f"{count} with {labels} a class" for labels, count in sorted(counts.items()))
    return f" ({told})" if told else ""


def failures(everything: Sequence[Draw]) -> list[str]:
    """One row an error, whatever figure it tells, with the methods that met it."""
    kinds: dict[tuple[str, ...], list[Draw]] = {}
    for draw in everything:
        if "failed" in draw:
            key = (
                draw["backbone"],
                draw["data"],
                draw["failed"],
                re.sub(r"[\d.]+%", "…", draw["why"]),
            )
            kinds.setdefault(key, []).append(draw)
    rows = [
        [f"`{code}`", part[0]["why"].replace("|", "\\|"), backbone, data, str(len(part)),
         ", ".join(figures.distinct(f"`{figures.name(one)}`" for one in part))]
        for (backbone, data, code, _), part in kinds.items()
    ]  # fmt: skip
    columns = ("error", "which says", "backbone", "data", "draws", "methods")
    return [*table(columns, rows), ""] if rows else []


def _methods(found: Cells, backbone: str) -> list[str]:
    """Of one backbone, the highest mean accuracy over everything first."""
    means: dict[str, list[float]] = {}
    for cell, by_seed in found.items():
        if cell.backbone == backbone:
            means.setdefault(cell.method, []).append(figures.accuracy(by_seed).mean)
    return sorted(means, key=lambda method: (-sum(means[method]) / len(means[method]), method))
