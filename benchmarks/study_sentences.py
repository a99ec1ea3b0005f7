"""Plain sentences about the study. None names a method or a data set by itself: figures do."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from benchmarks import study_figures as figures
from benchmarks.figures import Figure
from benchmarks.study_figures import FEWEST, LINEAR, MARGIN, Answer, Beside, Cells

RULE = (
    "Two methods are compared draw by draw: the same labelled rows, and the same rows to judge by "
    "(where one is judged by fewer, they are among the other's). A method is **better** or "
    "**worse** when Student's 95 % interval of the mean difference over draws excludes 0 after "
    "Bonferroni's correction for all methods that it was compared among, **maybe better** or "
    f"**maybe worse** when only the plain interval does, **as good** when that interval lies "
    f"within {MARGIN:g} points of 0, and **open** when it is wider: nothing is shown, neither a "
    f"difference nor that there is none. With fewer than {FEWEST} draws nothing is said, and fewer "
    "than 20 are a smoke test. Where data sets are taken together, each draw counts as one."
)
SHOWN = ("better", "maybe better", "as good", "worse", "maybe worse", "open")  # in this order


def worth(found: Cells) -> list[str]:
    """Whether more than a linear head is worth it, by number of labels and backbone."""
    lines = []
    for per_class in sorted({cell.per_class for cell in found}):
        for backbone in figures.distinct(cell.backbone for cell in figures.ordered(found)):
            rows = figures.beside(found, backbone, per_class)
            own = [row for row in rows if not row.method.startswith("peft:")]
            if own:
                lines.append(f"- **{per_class} labels a class on `{backbone}`.** {_beside(own)}")
    lines += _without_labels(found)
    return [*lines, ""] if lines else []


def cases(found: Cells) -> list[tuple[tuple[str, int], Answer | None]]:
    """What to take, for each data set and number of labels."""
    asked = figures.distinct((cell.data, cell.per_class) for cell in figures.ordered(found))
    return [(case, figures.answer(found, *case)) for case in asked]


def _beside(rows: Sequence[Beside]) -> str:
    parts = []
    for word in SHOWN:
        named = [_with_points(row, word) for row in rows if row.verdict == word]
        if named:
            parts.append(f"{word.capitalize()}: {', '.join(named)}.")
    few = sum(row.verdict == "too few draws" for row in rows)
    if few == len(rows):
        return f"Too few draws of {few} {_plural('method', few)} to say anything."
    if not any(row.verdict == "better" for row in rows):
        parts.insert(0, "Nothing is shown to be better.")
    return " ".join([*parts, *([f"Too few draws of {few} more."] if few else [])])


def _with_points(row: Beside, word: str) -> str:
    if word not in ("better", "maybe better", "worse"):
        return f"`{row.method}`"
    points = f"{100 * statistics.fmean(row.differences):+.1f} points"
    costs = word != "worse" and row.times is not None
    return f"`{row.method}` ({points}{f', {_times(row.times)} the seconds' if costs else ''})"


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{float(f'{ratio:.2g}'):g} times"


def _without_labels(found: Cells) -> list[str]:
    """What is lost by labelling nothing, beside a linear head with the fewest labels; a data set
    at a time, since it is the labels' names that decide."""
    fewest = min((cell.per_class for cell in found), default=0)
    told: dict[str, list[str]] = {}
    for cell in figures.ordered(found):
        values = figures.differences(found, cell, cell.by(LINEAR))
        asks = cell.method in figures.NO_LABELS and cell.per_class == fewest
        if asks and len(values) >= FEWEST:
            points = 100 * statistics.fmean(values)
            told.setdefault(f"`{cell.method}` on `{cell.backbone}`", []).append(
                f"{cell.data} {points:+.1f} ({figures.verdict(values)})"
            )
    if not told:
        return []
    title = f"No labels, only their names, beside a linear head with {fewest} a class, in points."
    said = "; ".join(f"{method} {', '.join(parts)}" for method, parts in told.items())
    return [f"- **{title}** {said}."]


def altogether(found: Cells) -> str:
    """The table of what to try in a few sentences."""
    answers = [one for _, one in cases(found) if one is not None]
    if not answers:
        return "Too few draws for an answer."
    better = sum(_beats_linear(found, chosen) for chosen in answers)
    itself = sum(chosen.best.method == LINEAR for chosen in answers)
    quickest = [(chosen.quickest or chosen.best).method for chosen in answers]
    rest = len(answers) - better - itself
    return (
        f"The table has {len(answers)} {_plural('row', len(answers))}. To be tried first: most "
        f"often {_most(quickest)}. Highest mean: most often "
        f"{_most([chosen.best.method for chosen in answers])}. That the highest mean is better "
        "than a linear head on the same backbone is shown, after correction for having been "
        f"chosen, in {better}; in {itself} it is the linear head; in {rest} it is not shown."
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
    return f"{word}, {interval(figures.interval(values))}" if values else "not drawn"


def interval(found: Figure) -> str:
    return f"{found.value:+.1f} ({found.low:+.1f} to {found.high:+.1f})"
