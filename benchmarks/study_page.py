"""docs/which_method_when.md, from the draws of the study: ``python -m benchmarks.study_page``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import study_figures as figures
from benchmarks import study_sentences as sentences
from benchmarks import study_tables as tables
from benchmarks.benchmark import RESULTS as ALL_RESULTS
from benchmarks.benchmark import Draw, draws_of, missing
from benchmarks.study_plan import outdated, plan
from benchmarks.timing import BUSY, ROOT

RESULTS = ALL_RESULTS / "study_methods"
PAGE = ROOT / "docs" / "which_method_when.md"
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
WRITTEN = (
    "`make study-methods` makes the draws that are still missing (the plan takes up to 8 hours on "
    "2 cores; `python -m benchmarks.study_cost` predicts the rest) and keeps them in "
    "`benchmarks/results/study_methods/`; `python -m benchmarks.study_page` writes this page from "
    "them, and every sentence on it."
)
OPENING = """# Which method when
"""


def draws(folder: Path = RESULTS) -> list[Draw]:
    """Every draw of every file of the study."""
    return [draw for path in sorted(folder.rglob("*.json")) for draw in draws_of(path)]


def text(folder: Path = RESULTS) -> str:
    """The whole page: the answer first, then what it rests on."""
    ever = draws(folder)
    everything = [draw for draw in ever if not outdated(draw)]
    found = figures.cells(everything)
    parts = [
        OPENING,
        _coverage(everything, found),
        "",
        *_section(
            "What to try", tables.to_try(found), f"{sentences.altogether(found)}\n\n{TO_TRY}"
        ),
        *_section("Is more than a linear head worth it?", sentences.worth(found), WORTH),
        *_section("What the words mean", [*tables.backbones(found), "", sentences.RULE, ""]),
        *_section("Beside a linear head", tables.beside_linear(found, of_peft=False), BESIDE),
    ]
    for title, sets in figures.GROUPS.items():
        parts += tables.accuracy(found, title, sets)
    parts += tables.prompts(found)
    parts += _section("Types of peft", tables.peft_types(found), PEFT)
    parts += tables.beside_linear(found, of_peft=True)
    parts += ["## How it was measured", "", *_how(everything, len(ever) - len(everything))]
    parts += tables.failures(everything)
    return "\n".join(parts).rstrip() + "\n"


TO_TRY = (
    "**Try first** is the quickest to fit of the highest mean and of what is at most "
    f"{figures.MARGIN:g} points below it and not shown to be worse. Accuracy in percent, mean ± "
    "standard deviation over draws (their number in brackets); seconds of a processor unless "
    "`cuda` is said. `compared` are the methods that have enough draws."
)
WORTH = (
    "Each method beside a linear head (`linear_probe`) on the same backbone and the same draws, "
    "over all data sets; the numbers are in the tables below."
)
BESIDE = (
    "Over all data sets that a method and the linear head of the same backbone were both drawn on."
)
PEFT = "Each type of the installed `peft` that a backbone can carry, with peft's own defaults."


def _section(title: str, lines: Sequence[str], told: str = "") -> list[str]:
    return [f"## {title}", "", *([told, ""] if told else []), *lines] if lines else []


def _coverage(everything: Sequence[Draw], found: figures.Cells) -> str:
    planned = plan(False)
    left = len(missing(planned, everything))
    failed = sum("failed" in draw for draw in everything)
    most = max(map(len, found.values()), default=0)
    few = f" No method has more than {most} draws of one kind: a smoke test, not a proof."
    return (
        f"Computed from {len(everything):,} draws of a few labelled rows ({failed} failed, see the "
        "end). "
        + (
            f"{left:,} of {len(planned):,} planned draws are still to be made: more of them will "
            "change what is said here."
            if left
            else "The plan is complete."
        )
        + (few if most < 20 else "")
    )


def _how(everything: Sequence[Draw], outdated_draws: int) -> list[str]:
    busy = sum(draw["others"] > BUSY for draw in everything)
    lines = [
        WRITTEN,
        "",
        HOW,
        "",
        f"In {busy:,} of {len(everything):,} draws other programs used more than {BUSY:.0%} of the "
        "machine."
        + (
            f" {outdated_draws} more draws were made under defaults that have changed since, and "
            "are left out."
            if outdated_draws
            else ""
        ),
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


def write() -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write()
