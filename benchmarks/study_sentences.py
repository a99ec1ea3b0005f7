"""Plain sentences about the study. None names a method or a data set by itself: figures do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import study_figures as figures
from benchmarks.page import number
from benchmarks.study_figures import FEWEST, LINEAR, Cell, Cells

RULE = (
    f"Two methods are compared on the same rows, draw by draw. A method counts as **better** or "
    "**worse** when Student's 95 % interval of the mean difference over draws excludes 0, and as "
    f"**as good** when it includes 0. With fewer than {FEWEST} draws nothing is said. Of 40 "
    "methods that are in truth equally good, one is expected to look better by chance and one "
    "worse; where the best of several is singled out, its interval is also given after "
    "Bonferroni's correction. Fewer than 20 draws are a smoke test, and a difference that was not "
    "found is not proof that there is none."
)


def in_short(found: Cells) -> list[str]:
    """What to take, for each data set and number of labels."""
    lines = []
    answers = []
    for data, per_class in figures.distinct(
        (cell.data, cell.per_class) for cell in figures.ordered(found)
    ):
        title = f"**{data}, {per_class} labels a class.** "
        chosen = figures.answer(found, data, per_class)
        if chosen is None:
            most = max(len(found[c]) for c in found if (c.data, c.per_class) == (data, per_class))
            lines += [
                f"{title}Too few draws for an answer: at most {most} a method, and two methods "
                f"with {FEWEST} are needed.",
                "",
            ]
            continue
        answers.append(chosen)
        lines += [title + " ".join(_sentences(found, chosen)), ""]
    if not lines:
        return ["Nothing was measured yet.", ""]
    return [*_altogether(found, answers), *lines]


def _altogether(found: Cells, answers: Sequence[figures.Answer]) -> list[str]:
    """In how many cases the linear head is enough."""
    if not answers:
        return []
    better = sum(_beats_linear(found, chosen) for chosen in answers)
    return [
        f"In {better} of the {len(answers)} cases with enough draws, the method with the highest "
        "mean is better than a linear head on the same backbone after correction for having been "
        f"chosen. In the other {len(answers) - better} the linear head is itself the best, or "
        "nothing is shown to be better than it.",
        "",
    ]


def _beats_linear(found: Cells, chosen: figures.Answer) -> bool:
    best = chosen.best
    values = figures.differences(found, best, best.by(LINEAR))
    return best.method != LINEAR and figures.verdict(values, chosen.compared - 1) == "better"


def _sentences(found: Cells, chosen: figures.Answer) -> list[str]:
    best, quickest = chosen.best, chosen.quickest
    told = [
        f"Of {chosen.compared} that have {FEWEST} draws or more, {_called(best)} has the highest "
        f"mean: {_score(found, best)}."
    ]
    if chosen.constant:
        told.append("Even that cannot be told apart from always giving one answer.")
    if quickest is not None and quickest != best:
        gap = figures.interval(figures.differences(found, best, quickest))
        told.append(
            f"{_called(quickest)}, {_score(found, quickest)}, cannot be told apart from it "
            f"({_interval(gap)}) and is the quickest to fit of those: try that first."
        )
    elif quickest is not None:
        told.append("It is also the quickest to fit of those that cannot be told apart from it.")
    if best.method != LINEAR and best.backbone != "none":
        told += _against_linear(found, best, chosen.compared)
    return told


def _against_linear(found: Cells, best: Cell, compared: int) -> list[str]:
    values = figures.differences(found, best, best.by(LINEAR))
    plain = figures.verdict(values)
    if plain == "too few draws":
        return ["It was not drawn beside a linear head on the same backbone."]
    shown = _interval(figures.interval(values))
    if plain != "better":
        return [f"A linear head on the same backbone is as good ({shown})."]
    corrected = _interval(figures.interval(values, compared - 1))
    if figures.verdict(values, compared - 1) == "better":
        return [
            f"It is better than a linear head on the same backbone ({shown}; corrected for the "
            f"choice {corrected})."
        ]
    return [
        f"It looks better than a linear head on the same backbone ({shown}), but not after "
        f"correcting for having been the best of {compared} ({corrected}): the linear head is not "
        "shown to be worse."
    ]


def _called(cell: Cell) -> str:
    on = "" if cell.backbone == "none" else f" on `{cell.backbone}`"
    return f"`{cell.method}`{on}"


def _score(found: Cells, cell: Cell) -> str:
    spread = figures.accuracy(found[cell])
    fit = ", ".join(
        f"{number(value)} s to fit on {kind}"
        for kind, value in figures.seconds(found[cell], "fit").items()
    )
    return f"{spread} % over {spread.draws} draws, {fit}"


def _interval(found: Any) -> str:
    return f"{found.value:+.1f} points, {found.low:+.1f} to {found.high:+.1f}"


def counted(backbone: str, per_class: int, counts: Mapping[str, Sequence[str]]) -> str:
    total = sum(map(len, counts.values()))
    parts = [f"{len(counts.get(word, ()))} {word}" for word in ("better", "as good", "worse")]
    few = len(counts.get("too few draws", ()))
    named = ", ".join(f"`{one}`" for one in counts.get("better", ()))
    return (
        f"On `{backbone}`, of {total} methods beside its linear head: {', '.join(parts)}"
        + (f", {few} with too few draws" if few else "")
        + (f". Better: {named}" if named else "")
        + ".\n"
    )
