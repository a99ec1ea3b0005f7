"""What is said of the study. None names a method or a data set by itself: figures do."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from benchmarks import study_figures as figures
from benchmarks.figures import Figure
from benchmarks.page import table
from benchmarks.study_figures import FEWEST, LINEAR, MARGIN, Answer, Beside, Cells

RULE = (
    "Two methods are compared draw by draw: the same labelled rows, and the same rows to judge by "
    "(where one is judged by fewer, they are among the other's). A method is **better** or "
    "**worse** when Student's 95 % interval of the mean difference over draws excludes 0 after "
    "Bonferroni's correction for all methods that it was compared among, **maybe better** or "
    f"**maybe worse** when only the plain interval does, **as good** when that interval lies "
    f"within {MARGIN:g} points of 0, and **open** when it is wider: nothing is shown, neither a "
    f"difference nor that there is none. With fewer than {FEWEST} draws nothing is said, and fewer "
    "than 20 are a smoke test. A spread of differences below one test row is taken for one row. "
    "Where data sets are taken together, each draw counts as one."
)


def worth(found: Cells) -> list[str]:
    """What each method adds to a linear head, from simple to involved, by backbone and number of
    labels; how good the head itself is; and what is lost without labels."""
    columns = [
        (backbone, per_class)
        for backbone in figures.distinct(cell.backbone for cell in figures.ordered(found))
        for per_class in sorted({cell.per_class for cell in found})
    ]
    cells = {
        (row.method, place): row
        for place in columns
        for row in figures.beside(found, *place)
        if not row.method.startswith("peft:") and len(row.differences) >= FEWEST
    }
    shown = [place for place in columns if any(other == place for _, other in cells)]
    rows = []
    for method in sorted({method for method, _ in cells}, key=_order):
        own = [cells.get((method, place)) for place in shown]
        times = [one.times for one in own if one and one.times and one.device == "cuda"]
        rows.append(
            [
                f"`{method}`",
                *("" if one is None else _added(one) for one in own),
                f"{float(f'{statistics.median(times):.2g}'):g}" if times else "",
            ]
        )
    if not rows:
        return ["Too few draws to say anything.", ""]
    places = [f"{backbone}, {per_class}" for backbone, per_class in shown]
    return [
        *table(("method", *places, "times the seconds, GPU"), rows),
        "",
        *_heads(found),
        *_without_labels(found),
    ]


def _order(method: str) -> tuple[int, str]:
    return figures.order(method), method


def _added(row: Beside) -> str:
    told = f"{100 * statistics.fmean(row.differences):+.1f} {row.verdict}"
    return f"**{told}**" if row.verdict in ("better", "worse") else told


def _heads(found: Cells) -> list[str]:
    """The same points are worth more on a better head: how good each is, on what all have."""
    heads = [cell for cell in figures.ordered(found) if cell.method == LINEAR]
    backbones = figures.distinct(cell.backbone for cell in heads)
    told = []
    for data, per_class in figures.distinct((cell.data, cell.per_class) for cell in heads):
        own = [cell for cell in heads if (cell.data, cell.per_class) == (data, per_class)]
        if len(own) == len(backbones) > 1:
            named = ", ".join(f"{figures.accuracy(found[c]).mean:.1f} {c.backbone}" for c in own)
            told.append(f"{data} with {per_class} a class {named}")
    if not told:
        return []
    return [f"The linear heads themselves, accuracy in percent: {'; '.join(told)}.", ""]


def cases(found: Cells) -> list[tuple[tuple[str, int], Answer | None]]:
    """What to take, for each data set and number of labels."""
    asked = figures.distinct((cell.data, cell.per_class) for cell in figures.ordered(found))
    return [(case, figures.answer(found, *case)) for case in asked]


def _without_labels(found: Cells) -> list[str]:
    """What is lost by labelling nothing, beside a linear head with the fewest labels; a data set
    at a time, since it is the labels' names that decide."""
    fewest = min((cell.per_class for cell in found), default=0)
    told: dict[tuple[str, str], dict[str, str]] = {}
    for cell in figures.ordered(found):
        values = figures.differences(found, cell, cell.by(LINEAR))
        asks = cell.method in figures.NO_LABELS and cell.per_class == fewest
        if asks and len(values) >= FEWEST:
            points = 100 * statistics.fmean(values)
            said = f"{points:+.1f} {figures.verdict(values)}"
            told.setdefault((cell.method, cell.backbone), {})[cell.data] = said
    if not told:
        return []
    sets = figures.distinct(data for row in told.values() for data in row)
    rows = [
        [f"`{method}`", backbone, *(row.get(data, "") for data in sets)]
        for (method, backbone), row in told.items()
    ]
    return [
        f"What answers from the labels' names alone, beside a linear head with {fewest} labels a "
        "class, in points. It is what the labels are called that decides: try it before "
        "relying on it, since more labelled rows do not mend it.",
        "",
        *table(("method", "backbone", *sets), rows),
        "",
    ]


def altogether(found: Cells) -> str:
    """The table of what to try in a few sentences."""
    answers = [one for _, one in cases(found) if one is not None]
    if not answers:
        return "Too few draws for an answer."
    better = sum(_beats_linear(found, chosen) for chosen in answers)
    itself = sum(chosen.best.method == LINEAR for chosen in answers)
    simplest = [chosen.simplest.method for chosen in answers]
    rest = len(answers) - better - itself
    return (
        f"Of {len(answers)} {_plural('row', len(answers))} below, the highest mean is shown to be "
        "better than a linear head on the same backbone, after correction for having been chosen, "
        f"in {better}; in {itself} it is the linear head, and in {rest} nothing is shown. To be "
        f"tried first is most often {_most(simplest)}."
    )


def _most(methods: Sequence[str]) -> str:
    """What comes most often, and how often."""
    counts = Counter(methods)
    most = max(counts.values())
    named = " or ".join(f"`{method}`" for method, count in counts.items() if count == most)
    return f"{named} ({most}{' each' if ' or ' in named else ''})"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _beats_linear(found: Cells, chosen: Answer) -> bool:
    return against_linear(found, chosen).startswith("better")


def against_linear(found: Cells, chosen: Answer) -> str:
    """The highest mean beside the linear head of its backbone, corrected for the choice."""
    best = chosen.best
    if best.method == LINEAR:
        return "it is one"
    values = figures.differences(found, best, best.by(LINEAR))
    word = figures.verdict(values, chosen.compared - 1)
    return f"{word}, {interval(figures.interval(values))}" if values else "has none"


def interval(found: Figure) -> str:
    return f"{found.value:+.1f} ({found.low:+.1f} to {found.high:+.1f})"
