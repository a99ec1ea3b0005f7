"""``python -m benchmarks [NAME ...]``: measure, save, and write the page."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks import page
from benchmarks.benchmark import RESULTS, Benchmark, Demands, run
from supertune.errors import SupertuneError

NAMES = (
    "startup",
    "linear_probe",
    "saved_sizes",
    "roofline",
    "more_rows",
    "grid_search",
    "many_adapters",
    "sharing",
    "many_tasks",
    "workers",
    "peft_trainer",
    "peft_speech",
    "pictures",
    "predict",
    "engines",
    "translating",
    "many_pictures",
    "recommending",
    "remote",
    "few_labels",
)  # the dearest last


def benchmark(name: str) -> Benchmark:
    found: Benchmark = importlib.import_module(f"benchmarks.{name}").BENCHMARK
    return found


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--again", action="store_true", help="throw away what is there")
    parser.add_argument(
        "--again-busy",
        action="store_true",
        help="measure again the draws during which other programs were busy",
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=float("inf"),
        metavar="SECONDS",
        help="start no draw of a benchmark that would not end within this time",
    )
    parser.add_argument(
        "--tiny", type=Path, metavar="FOLDER", help="smallest sizes, to try the code, into FOLDER"
    )
    return parser


def main() -> int:
    parser = arguments()
    given = parser.parse_args()
    if odd := sorted(set(given.names) - set(NAMES)):
        parser.error(f"unknown benchmark {odd[0]!r}; there are {', '.join(NAMES)}")
    demands = Demands(given.again, given.again_busy, given.tiny is not None, given.budget)
    failed = 0
    for name in given.names or NAMES:
        try:
            result = run(benchmark(name), given.tiny or RESULTS, demands)
        except SupertuneError as error:
            print(error, file=sys.stderr)
            failed = error.exit_code
            continue
        for figure in result["figures"]:
            met = {True: "met", False: "MISSED", None: "-"}[figure["met"]]
            print(f"{figure['name']}: {page.number(figure['value'])} {figure['unit']}  {met}")
    if given.tiny is None:
        page.write()
    return failed


if __name__ == "__main__":
    sys.exit(main())
