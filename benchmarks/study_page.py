"""docs/which_method_when.md, which answers, and docs/which_method_figures.md, what it rests on,
from the draws of the study: ``python -m benchmarks.study_page``."""

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
FIGURES = ROOT / "docs" / "which_method_figures.md"
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
    "them, and every sentence on it. Every method, type of `peft` and figure is in "
    f"[{FIGURES.name}]({FIGURES.name})."
)
SHARED = "NVIDIA H200, 16 cores, threads: 1;"  # how a machine is told of whose card many shared
SIDE_BY_SIDE = (
    " Fourteen fits and a pre-training shared the H200 of the draws on one thread: their seconds "
    "are longer than a card of one's own would take, and by how much was not measured. Compare "
    "them with each other, roughly, and never with those of a CPU."
)


def draws(folder: Path = RESULTS) -> list[Draw]:
    """Every draw of every file of the study."""
    return [draw for path in sorted(folder.rglob("*.json")) for draw in draws_of(path)]


def standing(ever: Sequence[Draw]) -> list[Draw]:
    """Draws under today's defaults; one that failed only where it has not been made since."""
    now = [draw for draw in ever if not outdated(draw)]
    made = {_item(draw) for draw in now if "failed" not in draw}
    return [draw for draw in now if "failed" not in draw or _item(draw) not in made]


def _item(draw: Draw) -> tuple[str, ...]:
    keys = ("method", "options", "backbone", "data", "per_class", "seed")
    return tuple(str(draw[key]) for key in keys)


def text(folder: Path = RESULTS) -> str:
    """The page that answers: what to try, whether it is worth it, how it was measured."""
    ever = draws(folder)
    everything = standing(ever)
    found = figures.cells(everything)
    parts = [
        "# Which method when",
        "",
        _coverage(everything, found),
        "",
        *_section(
            "What to try", tables.to_try(found), f"{sentences.altogether(found)}\n\n{TO_TRY}"
        ),
        *_section("Is more than a linear head worth it?", sentences.worth(found), WORTH),
        *_section("Beside a prompt that is only asked", tables.beside_prompt(found), ASKED),
        *_section("What the words mean", [*tables.backbones(found), "", sentences.RULE, ""]),
        *_section("How it was measured", _how(everything, sum(map(outdated, ever)))),
        *_section("What failed", [*tables.failures(everything), *_mended(everything)]),
    ]
    return "\n".join(parts).rstrip() + "\n"


def figures_text(folder: Path = RESULTS) -> str:
    """The page of every figure."""
    found = figures.cells(standing(draws(folder)))
    parts = ["# Which method when: every figure", "", BEHIND, ""]
    for title, sets in figures.GROUPS.items():
        parts += tables.accuracy(found, title, sets)
    parts += [
        *_section("Beside a linear head", tables.beside_linear(found, of_peft=False), BESIDE),
        *_section("How much prompt tuning varies over seeds", tables.prompts(found)),
        *_section("Types of peft", tables.peft_types(found), PEFT),
        *_section(
            "Types of peft beside a linear head", tables.beside_linear(found, of_peft=True), BESIDE
        ),
    ]
    return "\n".join(parts).rstrip() + "\n"


TO_TRY = (
    "**Try first** is the simplest of the highest mean and of what is at most "
    f"{figures.MARGIN:g} points below it and not shown to be worse: what learns from the rows "
    "before what only reads the labels' names, then in the order of `supertune methods`, then on "
    "the smaller backbone. Accuracy in percent, mean ± standard deviation over draws (their number "
    "in brackets); seconds of a CPU's threads together, or of a shared GPU by the clock (see "
    "below), which are no comparison with each other. `compared` are the methods and backbones "
    "that have enough draws."
)
WORTH = (
    "What each method adds to a linear head (`linear_probe`) on the same backbone and the same "
    "draws, in points of accuracy, over all data sets; columns are a backbone and the labels a "
    "class, methods go from simple to involved. Empty: not drawn, or not possible there. Seconds "
    "to fit are beside the linear head's, the median over the columns."
)
ASKED = (
    "Each method beside `zero_shot_prompt`, calibrated as it is by default, on the same backbone "
    "and the same draws, where most labels were given. The interval is the plain one, the word is "
    "corrected for all methods of the table."
)
BEHIND = (
    f"What [{PAGE.name}]({PAGE.name}) rests on; what its words mean and how it was measured is "
    "told there."
)
BESIDE = (
    "Over all data sets that a method and the linear head of the same backbone were both drawn on."
)
PEFT = "Each type of the installed `peft` that a backbone can carry, with peft's own defaults."
MENDED = {
    "padding_read": "The bound that stopped these draws was 1 % whatever the precision, and is "
    "4 % in bf16 now: on the longest of these backbones that is rounding. `python -m "
    "benchmarks.study_methods --again-failed` makes them again, types of `peft` on a GPU alone.",
}


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


def _mended(everything: Sequence[Draw]) -> list[str]:
    codes = figures.distinct(draw["failed"] for draw in everything if "failed" in draw)
    return [f"`{code}`: {MENDED[code]}" for code in codes if code in MENDED]


def _how(everything: Sequence[Draw], outdated_draws: int) -> list[str]:
    busy = sum(draw["others"] > BUSY for draw in everything)
    lines = [
        WRITTEN,
        "",
        HOW + (SIDE_BY_SIDE if any(draw["on"].startswith(SHARED) for draw in everything) else ""),
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
    FIGURES.write_text(figures_text(), encoding="utf-8")


if __name__ == "__main__":
    write()
