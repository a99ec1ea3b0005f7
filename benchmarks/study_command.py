"""The command line of a study: what is missing is measured, and every figure printed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.benchmark import RESULTS, Benchmark, Demands, Item, run
from supertune.errors import SupertuneError


def main(study: Benchmark, given: Sequence[str] | None = None) -> int:
    """Runs ``study`` under the arguments ``given`` (None: those of the program); 0 when done."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{study.name}", description=study.question
    )
    parser.add_argument("--budget", type=float, default=float("inf"), metavar="SECONDS")
    parser.add_argument(
        "--only", action="append", default=[], metavar="KEY=VALUE",
        help="draws with this value alone, such as data=r8; may be repeated",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes, to try the code")
    asked = parser.parse_args(given)
    wanted = dict(part.split("=", 1) if "=" in part else parser.error(part) for part in asked.only)

    def is_wanted(item: Item) -> bool:
        return all(str(item.get(key)) == value for key, value in wanted.items())

    try:
        found = run(study, asked.out, Demands(budget=asked.budget, tiny=asked.tiny,
                                              wanted=is_wanted))  # fmt: skip
    except SupertuneError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for figure in found["figures"]:
        print(f"{figure['name']}: {figure['value']:.3g} {figure['unit']}")
    return 0
