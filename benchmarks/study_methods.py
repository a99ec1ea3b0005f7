"""``python -m benchmarks.study_methods``: every method on every backbone that it fits.

Resumable: each draw is saved as it comes, and what is there is not measured again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from benchmarks import study_draw, study_page, study_plan
from benchmarks.benchmark import Benchmark, Demands, Draw, Item, draws_of, run
from benchmarks.study_plan import BACKBONES, DATA, PER_CLASS
from supertune.errors import InputError, SupertuneError


def study(device: str, backbones: Sequence[str] = ()) -> Benchmark:
    """The study on one device; a process for some of the backbones has a file of its own."""
    return Benchmark(
        name="-".join([*(backbones or ["all"]), device.partition(":")[0]]),
        question="Which method is worth its cost on a few labelled rows?",
        how=study_page.HOW,
        peers=(),
        plan=study_plan.plan,
        measure=lambda item: study_draw.measure(item, device),
        figures=lambda draws: [],  # of all files together: benchmarks.study_page
    )


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study_methods", description=__doc__)
    for option, told in (
        ("--only", "methods; 'peft:*' is a pattern"),
        ("--backbone", ", ".join(BACKBONES)),
        ("--data", ", ".join(DATA)),
        ("--per-class", ", ".join(map(str, PER_CLASS))),
    ):
        parser.add_argument(option, type=_listed, default=(), metavar="NAME,...", help=told)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")
    parser.add_argument(
        "--budget",
        type=float,
        default=float("inf"),
        metavar="SECONDS",
        help="start no draw that would not end within this time",
    )
    parser.add_argument(
        "--out", type=Path, default=study_page.RESULTS, metavar="FOLDER", help="where draws go"
    )
    parser.add_argument(
        "--done", type=Path, action="append", metavar="FOLDER", help="draws there are not repeated"
    )
    parser.add_argument("--again-failed", action="store_true", help="try again what failed")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes, to try the code")
    return parser


def _listed(given: str) -> tuple[str, ...]:
    return tuple(given.split(","))


def main(arguments_given: Sequence[str] | None = None) -> int:
    parser = arguments()
    given = parser.parse_args(arguments_given)
    try:
        device = study_draw.resolved(given.device)
        benchmark = study(device, given.backbone)
        demands = Demands(
            budget=given.budget,
            tiny=given.tiny,
            keep=_kept(given),
            wanted=_wanted(given, benchmark.plan(given.tiny), device),
            elsewhere=_elsewhere(given, benchmark.name),
        )
        run(benchmark, given.out, demands)
    except SupertuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    draws = study_page.draws(given.out)
    failed = sum("failed" in draw for draw in draws)
    print(f"{len(draws)} draws in {given.out.name}, of which {failed} failed")
    if given.out == study_page.RESULTS:
        study_page.write()
    return 0


def _wanted(given: argparse.Namespace, plan: Sequence[Item], device: str) -> Callable[[Item], bool]:
    passed_by = study_plan.for_gpu() if device == "cpu" else []
    asked = {
        "method": given.only,
        "backbone": given.backbone,
        "data": given.data,
        "per_class": given.per_class,
    }

    def matches(item: Item, key: str) -> bool:
        return not asked[key] or any(fnmatch(str(item[key]), one) for one in asked[key])

    for key, patterns in asked.items():
        known = sorted({str(item[key]) for item in plan})
        for one in patterns:
            if not any(fnmatch(name, one) for name in known):
                raise InputError(
                    "not_in_the_plan",
                    f"The study has no {key} '{one}'.",
                    received=one,
                    allowed=", ".join(known),
                )
    return lambda item: item not in passed_by and all(matches(item, key) for key in asked)


def _kept(given: argparse.Namespace) -> Callable[[Draw], bool]:
    def keep(draw: Draw) -> bool:
        return not study_plan.outdated(draw) and not (given.again_failed and "failed" in draw)

    return keep


def _elsewhere(given: argparse.Namespace, own: str) -> list[Draw]:
    """Draws that lie in other files of the same study."""
    keep = _kept(given)
    files = [path for folder in [given.out, *(given.done or [])] for path in folder.rglob("*.json")]
    return [
        draw
        for path in dict.fromkeys(files)
        if path != given.out / f"{own}.json"
        for draw in draws_of(path)
        if keep(draw)
    ]


if __name__ == "__main__":
    sys.exit(main())
